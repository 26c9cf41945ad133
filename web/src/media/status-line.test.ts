import { describe, expect, it } from 'vitest'
import type { Status } from '../api/types'
import { en } from '../text/en'
import { zh } from '../text/zh'
import { statusLine } from './status-line'

const base: Status = {
  media_id: 'm',
  task_id: 't',
  status: 'pending',
  current_step: 'queued',
  stage: null,
  progress: 0,
  eta_seconds: null,
  queue_position: null,
  estimated_start_seconds: null,
  retry_count: 0,
  cancel_requested: false,
  next_attempt_at: null,
  started_at: null,
  updated_at: null,
  completed_at: null,
  error: null,
}
const at = 1_000_000

describe('the line of a task', () => {
  it('says the place and when it starts, and counts down', () => {
    const waiting = { ...base, queue_position: 3, estimated_start_seconds: 240 }
    expect(statusLine(waiting, {}, at, at, en).detail).toBe('3rd in line, starts in about 4 min')
    expect(statusLine(waiting, {}, at, at + 200_000, en).detail).toBe('3rd in line, starts in about 40 s')
    expect(statusLine(waiting, {}, at, at + 900_000, en).detail).toBe('3rd in line, starts in a moment')
    expect(statusLine(waiting, { away: true }, at, at, en).detail).toBe('3rd in line')
    expect(statusLine(waiting, {}, at, at, zh).detail).toBe('排在第 3 位，约 4 分钟后开始')
  })
  it('has a bar while it waits only where some of the recognition was done', () => {
    const waiting = { ...base, progress: 86 }
    expect(['queued', 'acquire', 'extract', null].map((step) => statusLine({ ...waiting, current_step: step }, {}, at, at, en).percent)).toEqual([null, null, null, null])
    expect(['transcribe', 'finalize', 'retry_queued'].map((step) => statusLine({ ...waiting, current_step: step }, {}, at, at, en).percent)).toEqual([86, 86, 86])
  })
  it('says that the queue is paused instead', () => {
    expect(statusLine({ ...base, queue_position: 1 }, { paused: true }, at, at, en).detail).toBe('The queue is paused')
  })
  it('says no time that nobody knows: in a paused queue there is neither a start nor an end', () => {
    expect(statusLine({ ...base, queue_position: 3 }, {}, at, at, en).detail).toBe('3rd in line')
    const running: Status = { ...base, status: 'processing', current_step: 'transcribe', progress: 41.9 }
    expect(statusLine(running, { paused: true }, at, at, en).detail).toBe('41 %')
    const retrying: Status = { ...base, status: 'retrying', next_attempt_at: new Date(at + 30_000).toISOString() }
    expect(statusLine(retrying, { paused: true }, at, at, en).detail).toBe('The queue is paused')
  })
  it('says how far it is and what is left', () => {
    const line = statusLine({ ...base, status: 'processing', current_step: 'transcribe', progress: 41.9, eta_seconds: 130 }, {}, at, at + 10_000, en)
    expect(line).toMatchObject({ tone: 'run', label: 'Transcribing', detail: '41 %, about 2 min left', percent: 41.9 })
  })
  it('never says "cancelled" before it is', () => {
    const stopping = statusLine({ ...base, status: 'processing', cancel_requested: true, progress: 40 }, {}, at, at, en)
    expect(stopping).toMatchObject({ label: 'Stopping…', stopping: true, percent: 40 })
    expect(statusLine({ ...base, status: 'cancelled', cancel_requested: true }, {}, at, at, en)).toMatchObject({ label: 'Cancelled', stopping: false })
  })
  it('says when it is tried again', () => {
    const line = statusLine({ ...base, status: 'retrying', next_attempt_at: new Date(at + 30_000).toISOString() }, {}, at, at, en)
    expect(line.detail).toBe('tries again in 30 s')
  })
  it('names no time where it goes on as soon as there is room', () => {
    const waiting: Status = { ...base, status: 'retrying', next_attempt_at: new Date(at + 300_000).toISOString(), error: { class: 'storage', code: 'no_room_for_audio', message: 'x' } }
    expect(statusLine(waiting, {}, at, at, en).detail).toBe('waits for room on the server’s disk')
  })
  it('says it by the clock of the server, whatever the reader’s is', () => {
    const hour = 3_600_000
    const retrying = { ...base, status: 'retrying' as const, next_attempt_at: new Date(at + 30_000).toISOString() }
    expect(statusLine(retrying, {}, at - hour, at - hour, en, hour).detail).toBe('tries again in 30 s')
    expect(statusLine(retrying, {}, at + hour, at + hour, en, -hour).detail).toBe('tries again in 30 s')
  })
  it('says why it failed', () => {
    const failed = { ...base, status: 'failed' as const, error: { class: 'input', code: 'no_audio', message: 'There is no sound in this file.' } }
    expect(statusLine(failed, {}, at, at, en)).toMatchObject({ tone: 'bad', detail: 'There is no sound in this file.', percent: null })
  })
})
