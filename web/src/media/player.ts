// The sound of one recording: an audio or video element, and its time to whoever shows it. Time is
// told in animation frames while it plays, outside of React: words are lit without rendering.
import { useEffect, useMemo, useSyncExternalStore } from 'react'

export interface PlayerState {
  playing: boolean
  ready: boolean
  /** 'format': the browser cannot play it; 'away': it did not come. */
  trouble: '' | 'format' | 'away'
  duration: number
  rate: number
  /** How far down in the window its bar stays in view when the page is scrolled, px. */
  lower: number
}

export const RATES = [0.75, 1, 1.25, 1.5, 2] as const

const isThere = (address: string): Promise<boolean> =>
  fetch(address, { method: 'HEAD', cache: 'no-store' }).then(
    (answer) => answer.ok,
    () => false,
  )

export class Player {
  private element: HTMLMediaElement | null = null
  private state: PlayerState = { playing: false, ready: false, trouble: '', duration: 0, rate: 1, lower: 0 }
  private readonly stateListeners = new Set<() => void>()
  private readonly timeListeners = new Set<(seconds: number, jumped: boolean) => void>()
  private frame = 0
  private wanted: number | null = null
  /** Of the recording, as the server knows it: what the browser cannot play it does not measure. */
  length = Infinity
  private undo: (() => void)[] = []

  attach = (element: HTMLMediaElement | null): void => {
    for (const off of this.undo) off()
    this.undo = []
    cancelAnimationFrame(this.frame)
    this.element = element
    if (!element) return
    const on = (name: string, run: () => void) => {
      element.addEventListener(name, run)
      this.undo.push(() => element.removeEventListener(name, run))
    }
    on('loadedmetadata', () => {
      this.set({ ready: true, trouble: '', duration: Number.isFinite(element.duration) ? element.duration : 0 })
      if (this.wanted !== null) element.currentTime = this.wanted
      this.wanted = null
    })
    on('play', () => {
      this.set({ playing: true })
      this.run()
    })
    on('pause', () => this.set({ playing: false }))
    on('ended', () => this.set({ playing: false }))
    on('seeked', () => this.tell(true))
    on('error', () => void this.ask(element))
    this.set({ playing: false, ready: false, trouble: '', duration: 0 })
  }

  get time(): number {
    return this.wanted ?? this.element?.currentTime ?? 0
  }

  toggle(): void {
    if (this.state.playing) this.element?.pause()
    else this.play()
  }

  play(): void {
    void this.element?.play().catch(() => {
      // Refused, or cannot be played: 'error' tells the latter.
    })
  }

  pause(): void {
    this.element?.pause()
  }

  seek(seconds: number): void {
    const to = Math.max(0, Math.min(seconds, (this.state.ready && this.state.duration) || this.length))
    if (this.element && this.state.ready) this.element.currentTime = to
    else {
      this.wanted = to
      if (this.element && this.element.preload === 'none') this.element.load()
    }
    for (const tell of this.timeListeners) tell(to, true)
  }

  /** What did not come is asked for once more, and goes on where it was. */
  again(): void {
    if (this.state.trouble !== 'away' || !this.element) return
    this.wanted = this.time
    this.set({ trouble: '', ready: false })
    this.element.load()
  }

  skip(by: number): void {
    this.seek(this.time + by)
  }

  setRate(rate: number): void {
    if (this.element) {
      this.element.playbackRate = rate
      this.element.defaultPlaybackRate = rate
    }
    this.set({ rate })
  }

  setLower(lower: number): void {
    if (lower !== this.state.lower) this.set({ lower })
  }

  subscribe = (listener: () => void): (() => void) => {
    this.stateListeners.add(listener)
    return () => this.stateListeners.delete(listener)
  }
  read = (): PlayerState => this.state

  onTime(listener: (seconds: number, jumped: boolean) => void): () => void {
    this.timeListeners.add(listener)
    listener(this.time, false)
    return () => this.timeListeners.delete(listener)
  }

  /** A browser says of an answer that it could not use the same as of one that never came: the server is asked. */
  private async ask(element: HTMLMediaElement): Promise<void> {
    const { code } = element.error ?? {}
    const came = code === MediaError.MEDIA_ERR_DECODE || (code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && (await isThere(element.src)))
    if (this.element === element && element.error) this.set({ trouble: came ? 'format' : 'away', playing: false })
  }

  private run(): void {
    cancelAnimationFrame(this.frame)
    const step = () => {
      this.tell(false)
      if (this.state.playing) this.frame = requestAnimationFrame(step)
    }
    this.frame = requestAnimationFrame(step)
  }

  private tell(jumped: boolean): void {
    const now = this.element?.currentTime ?? 0
    for (const listener of this.timeListeners) listener(now, jumped)
  }

  private set(change: Partial<PlayerState>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.stateListeners) listener()
  }
}

export function usePlayer(media: string): Player {
  const player = useMemo(() => new Player(), [media])
  useEffect(() => () => player.pause(), [player])
  return player
}

export const usePlayerLower = (player: Player): number => useSyncExternalStore(player.subscribe, () => player.read().lower)
export const usePlayerState = (player: Player): PlayerState => useSyncExternalStore(player.subscribe, player.read)
