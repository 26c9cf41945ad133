// The numbers of the waveform's picture. Pure.
import type { Unit, Waveform } from '../api/types'

/** The largest sample, 0 to 1, of each of `bars` equal stretches of `duration` seconds. */
export function barsOf(waveform: Waveform, bars: number, duration: number): Float32Array {
  const out = new Float32Array(bars)
  const full = 2 ** (waveform.bits - 1)
  const perBar = (duration * 1000) / waveform.bucket_ms / bars
  for (let bar = 0; bar < bars; ++bar) {
    const from = Math.floor(bar * perBar)
    const to = Math.max(from + 1, Math.floor((bar + 1) * perBar))
    let peak = 0
    for (let i = from; i < to && i < waveform.length; ++i) {
      peak = Math.max(peak, Math.abs(waveform.data[2 * i] ?? 0), Math.abs(waveform.data[2 * i + 1] ?? 0))
    }
    out[bar] = peak / full
  }
  return out
}

/** Quiet recordings fill the height, too; silence stays flat. */
export function scaleOf(bars: Float32Array): number {
  const sorted = Float32Array.from(bars).sort()
  const loud = sorted[Math.floor(sorted.length * 0.98)] ?? 0
  return loud < 0.02 ? 1 : 1 / loud
}

export interface Strip {
  start: number
  end: number
  state: Unit['status']
  /** Up to where a running chunk has come, in seconds of the recording. */
  until: number
}

export function stripOf(chunks: readonly Unit[]): Strip[] {
  return chunks.map((c) => ({
    start: c.start,
    end: c.end,
    state: c.status,
    until: c.status === 'completed' ? c.end : c.status === 'processing' ? Math.min(c.end, c.start + c.audio_done_seconds) : c.start,
  }))
}
