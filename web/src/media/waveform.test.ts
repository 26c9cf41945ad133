import { describe, expect, it } from 'vitest'
import type { Unit } from '../api/types'
import { barsOf, scaleOf, stripOf } from './waveform'

describe('the waveform', () => {
  const wave = { bits: 8, bucket_ms: 100, length: 10, data: [-10, 5, -20, 64, 0, 0, -128, 127, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, -32, 0] }
  it('has the loudest of each stretch', () => {
    expect([...barsOf(wave, 5, 1)]).toEqual([0.5, 1, 1 / 128, 0, 0.25])
    expect(barsOf(wave, 100, 1).length).toBe(100)
  })
  it('of a longer recording than its data ends in silence', () => {
    expect([...barsOf(wave, 2, 2)]).toEqual([1, 0])
  })
  it('fills the height also where it is quiet, and leaves silence flat', () => {
    expect(scaleOf(Float32Array.from([0.1, 0.2, 0.25]))).toBeCloseTo(4)
    expect(scaleOf(Float32Array.from([0.001, 0]))).toBe(1)
    expect(scaleOf(new Float32Array(0))).toBe(1)
  })
})

describe('the strip of chunks', () => {
  const unit = (status: Unit['status'], done: number): Unit => ({
    step: 'transcribe',
    ordinal: 0,
    status,
    start: 30,
    end: 60,
    attempts: 1,
    model: null,
    audio_done_seconds: done,
    next_attempt_at: null,
    started_at: null,
    completed_at: null,
    error: null,
  })
  it('fills in as they come', () => {
    expect([unit('completed', 30), unit('processing', 12), unit('processing', 99), unit('pending', 0), unit('failed', 9)].map((u) => stripOf([u])[0]?.until)).toEqual([60, 42, 60, 30, 30])
  })
})
