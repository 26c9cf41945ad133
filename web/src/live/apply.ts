// What a message of the event stream changes in the page's memory. The cache of queries is the only
// place that holds state of the server; whatever is shown reads it.
import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query'
import type { Counts, LiveEvent, LiveMessage, Media, MediaSummary, Page, Segments, Status, TaskState, Unit } from '../api/types'

export const keys = {
  status: (media: string) => ['status', media] as const,
  media: (media: string) => ['media', media] as const,
  task: (task: string) => ['task', task] as const,
  units: (task: string) => ['units', task] as const,
  attempts: (task: string) => ['attempts', task] as const,
  log: (task: string) => ['log', task] as const,
  segments: (media: string) => ['segments', media] as const,
  waveform: (media: string) => ['waveform', media] as const,
  library: ['library'] as const,
  libraryAll: ['library', 'all'] as const, // newest first, whatever its state
  librarySome: ['library', 'some'] as const, // chosen by state or words, or in another order
  search: ['search'] as const,
  queue: ['queue'] as const,
  ready: ['ready'] as const,
  counts: ['counts'] as const,
  paused: ['paused'] as const,
}

export type LibraryData = InfiniteData<Page<MediaSummary>, string | null>

/** Asks anew for what is shown, soon, and not more often than once in `everyMs`. */
export class Refresher {
  /** Set by the page: looks for what came at the head of the library. */
  lookForNew: () => Promise<void> = async () => {}
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>()
  private readonly last = new Map<string, number>()
  private readonly took = new Map<string, number>()

  constructor(
    private readonly client: QueryClient,
    private readonly now: () => number = () => Date.now(),
  ) {}

  /** Runs a request and notes how long it takes: what takes long is asked for more rarely. */
  async timed<T>(key: QueryKey, ask: () => Promise<T>): Promise<T> {
    const begun = this.now()
    const value = await ask()
    this.took.set(JSON.stringify(key), this.now() - begun)
    return value
  }

  newest(): void {
    this.once('newest', 250, () => void this.lookForNew())
  }

  soon(key: QueryKey, everyMs = 300): void {
    const name = JSON.stringify(key)
    this.once(name, Math.max(everyMs, (this.took.get(name) ?? 0) * 5), () => {
      // One that is under way may have begun before the change.
      void this.client.invalidateQueries({ queryKey: key })
    })
  }

  private once(name: string, everyMs: number, run: () => void): void {
    if (this.waiting.has(name)) return
    const since = this.now() - (this.last.get(name) ?? 0)
    this.waiting.set(
      name,
      setTimeout(
        () => {
          this.waiting.delete(name)
          this.last.set(name, this.now())
          run()
        },
        Math.max(30, everyMs - since),
      ),
    )
  }
}

/** A status that was told is newer than any answer that is still on its way. */
export function setStatus(client: QueryClient, status: Status): void {
  const key = keys.status(status.media_id)
  void client.cancelQueries({ queryKey: key }, { revert: false, silent: true })
  client.setQueryData<Status>(key, status)
}

/** From an entry of a list, which says less: nothing that is known better is lost. */
export function statusOfSummary(item: MediaSummary, known: Status | undefined): Status {
  const same = known !== undefined && known.task_id === item.task_id && known.status === item.status
  if (same) return known
  return {
    media_id: item.id,
    task_id: item.task_id,
    status: item.status,
    current_step: null,
    stage: null,
    progress: item.progress,
    eta_seconds: null,
    queue_position: null,
    estimated_start_seconds: null,
    retry_count: 0,
    cancel_requested: false,
    next_attempt_at: null,
    started_at: null,
    updated_at: null,
    completed_at: null,
    error: item.error,
  }
}

/** Entries of a list that was asked for at `asked` (ms). */
export function takeSummaries(client: QueryClient, items: MediaSummary[], asked: number): void {
  for (const item of items) {
    const state = client.getQueryState<Status>(keys.status(item.id))
    if ((state?.dataUpdatedAt ?? 0) < asked) {
      client.setQueryData<Status>(keys.status(item.id), (known) => statusOfSummary(item, known))
    }
  }
}

const STATES: readonly string[] = ['pending', 'processing', 'retrying', 'completed', 'partial_failure', 'failed', 'cancelled']

// An event of many at once comes without the status: what it says itself is taken, the rest asked for.
function statusOfEvent(event: LiveEvent, known: Status | undefined): Status | undefined {
  const state = event.data.state
  if (!event.media_id || typeof state !== 'string' || !STATES.includes(state)) return undefined
  const data = event.data as { progress?: number; current_step?: string; retry_count?: number; cancel_requested?: boolean; next_attempt_at?: string; error?: Status['error'] }
  const base =
    known ??
    statusOfSummary(
      { id: event.media_id, task_id: event.task_id, status: state as TaskState, progress: 0, error: null } as MediaSummary,
      undefined,
    )
  return {
    ...base,
    task_id: event.task_id,
    status: state as TaskState,
    current_step: data.current_step ?? null,
    progress: data.progress ?? base.progress,
    retry_count: data.retry_count ?? base.retry_count,
    cancel_requested: data.cancel_requested ?? false,
    next_attempt_at: data.next_attempt_at ?? null,
    error: data.error ?? null,
    eta_seconds: null,
    queue_position: null,
    estimated_start_seconds: null,
    stage: null,
  }
}

function patchLists(client: QueryClient, change: (page: Page<MediaSummary>) => Page<MediaSummary>): void {
  client.setQueriesData<LibraryData>({ queryKey: keys.library }, (data) =>
    data ? { ...data, pages: data.pages.map(change) } : data,
  )
}

export function forgetMedia(client: QueryClient, id: string): void {
  patchLists(client, (page) => (page.items.some((m) => m.id === id) ? { ...page, items: page.items.filter((m) => m.id !== id) } : page))
  for (const key of [keys.status(id), keys.segments(id), keys.waveform(id)]) client.removeQueries({ queryKey: key })
}

function applyTask(client: QueryClient, refresh: Refresher, event: LiveEvent): void {
  const media = event.media_id
  const task = event.task_id
  if (!media || !task) return
  const known = client.getQueryData<Status>(keys.status(media))
  const status = event.status ?? statusOfEvent(event, known)
  if (status) {
    setStatus(client, status)
    if (!event.status) refresh.soon(keys.status(media), 500)
  }
  if (event.type === 'task.state' || event.type === 'task.created') {
    refresh.soon(keys.media(media), 50)
    refresh.soon(keys.segments(media), 400)
    refresh.soon(keys.attempts(task), 500)
    refresh.soon(keys.librarySome, 1000)
    refresh.soon(keys.queue, 200)
    refresh.soon(keys.counts, 500)
    // The waveform comes with the first step.
    if (!client.getQueryData(keys.waveform(media))) refresh.soon(keys.waveform(media), 500)
  }
  refresh.soon(keys.task(task), event.type === 'task.progress' ? 900 : 100)
  refresh.soon(keys.units(task), event.type === 'task.progress' ? 900 : 100)
  refresh.soon(keys.queue, 1000)
  if (event.type.startsWith('unit.')) {
    refresh.soon(keys.segments(media), 600)
    refresh.soon(keys.attempts(task), 1000)
  }
  if (event.type !== 'task.progress') refresh.soon(keys.log(task), 1000)
}

export function applyMessage(client: QueryClient, refresh: Refresher, message: LiveMessage): void {
  switch (message.type) {
    case 'snapshot':
      for (const status of message.tasks) setStatus(client, status)
      client.setQueryData<Counts>(keys.counts, message.counts)
      client.setQueryData<boolean>(keys.paused, message.paused)
      return
    case 'reset':
      void client.invalidateQueries()
      return
    case 'media.created':
      refresh.newest()
      refresh.soon(keys.librarySome, 1000)
      return
    case 'media.updated':
      if (message.media_id) {
        refresh.soon(keys.media(message.media_id), 50)
        refresh.soon(keys.library, 300)
        refresh.soon(keys.queue, 300)
      }
      return
    case 'media.deleted':
      if (message.media_id) {
        forgetMedia(client, message.media_id)
        client.setQueryData<Media | null>(keys.media(message.media_id), null)
        refresh.soon(keys.librarySome, 1000)
        refresh.soon(keys.search, 300)
        refresh.soon(keys.queue, 300)
        refresh.soon(keys.counts, 500)
      }
      return
    case 'transcript.updated':
      if (message.media_id) {
        // Our own edit is known by its answer already.
        const known = client.getQueryData<Segments | null>(keys.segments(message.media_id))?.newest_revision ?? -1
        const told = typeof message.data.revision === 'number' ? message.data.revision : Infinity
        if (told > known) refresh.soon(keys.segments(message.media_id), 50)
        refresh.soon(keys.search, 1000)
      }
      return
    case 'queue.paused':
    case 'queue.resumed':
      client.setQueryData<boolean>(keys.paused, message.type === 'queue.paused')
      refresh.soon(keys.queue, 50)
      return
    default:
      applyTask(client, refresh, message)
  }
}

/** The chunks of the audio, in order, from all units of a task. */
export const chunksOf = (units: readonly Unit[]): Unit[] => units.filter((u) => u.step === 'transcribe')
