// The sound of one recording: an audio or video element, and its time to whoever shows it. Time is
// told in animation frames while it plays, outside of React: words are lit without rendering.
import { useEffect, useMemo, useSyncExternalStore } from 'react'

export interface PlayerState {
  playing: boolean
  ready: boolean
  failed: boolean
  duration: number
  rate: number
}

export const RATES = [0.75, 1, 1.25, 1.5, 2] as const

export class Player {
  private element: HTMLMediaElement | null = null
  private state: PlayerState = { playing: false, ready: false, failed: false, duration: 0, rate: 1 }
  private readonly stateListeners = new Set<() => void>()
  private readonly timeListeners = new Set<(seconds: number, jumped: boolean) => void>()
  private frame = 0
  private wanted: number | null = null
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
      this.set({ ready: true, failed: false, duration: Number.isFinite(element.duration) ? element.duration : 0 })
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
    on('error', () => this.set({ failed: true, playing: false }))
    this.set({ playing: false, ready: false, failed: false, duration: 0 })
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
    const to = Math.max(0, seconds)
    if (this.element && this.state.ready) this.element.currentTime = Math.min(to, this.state.duration || to)
    else {
      this.wanted = to
      if (this.element && this.element.preload === 'none') this.element.load()
    }
    for (const tell of this.timeListeners) tell(to, true)
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

export const usePlayerState = (player: Player): PlayerState => useSyncExternalStore(player.subscribe, player.read)
