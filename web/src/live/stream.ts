// The one event stream of this page: `GET /api/v1/events`, kept open, and taken up where it was after
// a break. It knows nothing of what the messages mean.
import type { LiveMessage } from '../api/types'

export type Connection = 'connecting' | 'live' | 'lost'

/** What the stream needs of the browser; tests give their own. */
export interface StreamHost {
  open(url: string): EventSourceLike
  /** Whether the server answers at all, and soon. */
  probe(): Promise<boolean>
  setTimer(run: () => void, ms: number): number
  clearTimer(timer: number): void
}

export interface EventSourceLike {
  onopen: (() => void) | null
  onerror: (() => void) | null
  onmessage: ((event: { data: string; lastEventId: string }) => void) | null
  close(): void
}

export interface StreamEvents {
  message(message: LiveMessage): void
  connection(state: Connection): void
  /** After a break: what was asked for meanwhile may be old. `replayed`: nothing was missed. */
  returned(replayed: boolean): void
}

const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 4000
/** A line that has been silent so long is looked after: EventSource shows neither the server's comments nor a line that is dead. */
const SILENT_MS = 20_000
/** As often is a server believed that answers, then the line is made anew: it may be dead for itself alone. */
const SILENCES = 3

export class LiveStream {
  private source: EventSourceLike | null = null
  private timer: number | null = null
  private watch: number | null = null
  private silences = 0
  private after: number | null = null
  private waitMs = FIRST_WAIT_MS
  private broken = false
  private asleep = false
  private state: Connection = 'connecting'

  constructor(
    private readonly host: StreamHost,
    private readonly events: StreamEvents,
  ) {}

  start(): void {
    this.connect()
  }

  stop(): void {
    this.drop()
    if (this.timer !== null) this.host.clearTimer(this.timer)
    this.timer = null
  }

  /** Tries at once, where it waits to try again: the machine came online, the window came to the front. */
  hurry(): void {
    if (this.source || this.asleep) return
    if (this.timer !== null) this.host.clearTimer(this.timer)
    this.timer = null
    this.waitMs = FIRST_WAIT_MS
    this.connect()
  }

  /** A window that nobody sees gives its connection back: browsers allow six to one server. */
  sleep(): void {
    if (this.asleep) return
    this.asleep = true
    this.stop()
  }

  wake(): void {
    if (!this.asleep) return
    this.asleep = false
    this.broken = true
    this.hurry()
  }

  private connect(): void {
    this.timer = null
    const replaying = this.after !== null
    this.heard()
    const source = this.host.open(replaying ? `/api/v1/events?after=${this.after}` : '/api/v1/events')
    this.source = source
    let opened = false
    source.onopen = () => {
      if (this.source !== source) return
      opened = true
      this.heard()
      this.waitMs = FIRST_WAIT_MS
      this.tell('live')
      if (this.broken) this.events.returned(replaying)
      this.broken = false
    }
    source.onmessage = (event) => {
      this.heard()
      const message = JSON.parse(event.data) as LiveMessage
      if (event.lastEventId !== '') this.after = Number(event.lastEventId)
      this.events.message(message)
    }
    source.onerror = () => {
      if (this.source !== source) return
      this.drop()
      this.broken = true
      this.tell('lost')
      void this.again(replaying && !opened)
    }
  }

  private heard(): void {
    this.silences = 0
    this.watchOn()
  }

  private watchOn(): void {
    if (this.watch !== null) this.host.clearTimer(this.watch)
    this.watch = this.host.setTimer(() => void this.lookAfter(), SILENT_MS)
  }

  private async lookAfter(): Promise<void> {
    this.watch = null
    const source = this.source
    const answers = await this.host.probe()
    if (this.source !== source || source === null || this.watch !== null) return // it was heard of meanwhile
    if (!answers) {
      source.onerror?.()
    } else if (++this.silences >= SILENCES) {
      this.drop()
      this.connect()
    } else {
      this.watchOn()
    }
  }

  // A refusal cannot be read from an EventSource. Where the server answers otherwise, the events
  // after ours are no longer kept, or it is another server: begin with a snapshot.
  private async again(refused: boolean): Promise<void> {
    if (refused && (await this.host.probe())) this.after = null
    if (this.source || this.timer !== null || this.asleep) return
    this.timer = this.host.setTimer(() => this.connect(), this.waitMs)
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS)
  }

  private drop(): void {
    const source = this.source
    this.source = null
    source?.close()
    if (this.watch !== null) this.host.clearTimer(this.watch)
    this.watch = null
  }

  private tell(state: Connection): void {
    if (this.state === state) return
    this.state = state
    this.events.connection(state)
  }
}
