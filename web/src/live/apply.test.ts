import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LiveEvent, MediaSummary, Status } from '../api/types'
import { applyMessage, keys, type LibraryData, Refresher, setStatus, takeSummaries } from './apply'
import { joinHead } from './library'

const status = (media: string, change: Partial<Status> = {}): Status => ({
  media_id: media,
  task_id: `t-${media}`,
  status: 'processing',
  current_step: 'transcribe',
  stage: 'Transcribing 1 of 4',
  progress: 20,
  eta_seconds: 60,
  queue_position: null,
  estimated_start_seconds: null,
  retry_count: 0,
  cancel_requested: false,
  next_attempt_at: null,
  started_at: null,
  updated_at: null,
  completed_at: null,
  error: null,
  ...change,
})

const summary = (id: string, change: Partial<MediaSummary> = {}): MediaSummary => ({
  id,
  title: id,
  filename: `${id}.wav`,
  status: 'processing',
  task_id: `t-${id}`,
  progress: 10,
  error: null,
  size_bytes: 1,
  duration_seconds: null,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  ...change,
})

const event = (type: LiveEvent['type'], media: string, change: Partial<LiveEvent> = {}): LiveEvent => ({
  type,
  seq: 1,
  at: '2026-01-01T00:00:00Z',
  media_id: media,
  task_id: `t-${media}`,
  data: {},
  ...change,
})

let client: QueryClient
let refresh: Refresher
beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } })
  refresh = new Refresher(client)
})
afterEach(() => {
  vi.useRealTimers()
  client.clear()
})

const known = (media: string) => client.getQueryData<Status>(keys.status(media))
const library = (items: MediaSummary[]): LibraryData => ({ pages: [{ items, next_cursor: null }], pageParams: [null] })

describe('what an event changes', () => {
  it('a snapshot tells how each active task stands, and the queue', () => {
    applyMessage(client, refresh, {
      type: 'snapshot',
      seq: 1,
      tasks: [status('a'), status('b', { status: 'pending' })],
      truncated: false,
      paused: true,
      counts: { pending: 1, processing: 1, retrying: 0, completed: 5, partial_failure: 0, failed: 0, cancelled: 0 },
    })
    expect(known('a')?.progress).toBe(20)
    expect(known('b')?.status).toBe('pending')
    expect(client.getQueryData(keys.paused)).toBe(true)
  })

  it('an event carries the status; a retry clears what stood there', () => {
    setStatus(client, status('a', { status: 'failed', error: { class: 'input', code: 'x', message: 'm' }, completed_at: 'then' }))
    applyMessage(client, refresh, event('task.state', 'a', { status: status('a', { status: 'pending', progress: 0, current_step: 'retry_queued' }) }))
    expect(known('a')).toMatchObject({ status: 'pending', error: null, completed_at: null })
  })

  it('one of many at once comes without the status: its data is taken, and the rest asked for', async () => {
    setStatus(client, status('a'))
    const ask = vi.spyOn(client, 'invalidateQueries')
    applyMessage(client, refresh, event('task.state', 'a', { data: { state: 'cancelled', progress: 20 } }))
    expect(known('a')).toMatchObject({ status: 'cancelled', eta_seconds: null })
    await vi.advanceTimersByTimeAsync(2000)
    expect(ask).toHaveBeenCalledWith({ queryKey: keys.status('a') })
  })

  it('what was told is not undone by an older answer that is still on its way', async () => {
    let answer: (s: Status) => void = () => {}
    const asking = client
      .fetchQuery({ queryKey: keys.status('a'), queryFn: () => new Promise<Status>((done) => (answer = done)) })
      .catch(() => 'dropped')
    await vi.advanceTimersByTimeAsync(10)
    applyMessage(client, refresh, event('task.state', 'a', { status: status('a', { status: 'completed', progress: 100 }) }))
    answer(status('a', { status: 'processing', progress: 20 }))
    await asking
    await vi.advanceTimersByTimeAsync(10)
    expect(known('a')?.status).toBe('completed')
  })

  it('a list that was asked for before the event does not undo it either; one asked for later counts', () => {
    const asked = Date.now() - 5
    setStatus(client, status('a', { status: 'completed' }))
    takeSummaries(client, [summary('a')], asked)
    expect(known('a')?.status).toBe('completed')
    takeSummaries(client, [summary('a', { status: 'failed' })], Date.now() + 5)
    expect(known('a')?.status).toBe('failed')
  })

  it('a list says less than an event: of the same state nothing is lost', () => {
    setStatus(client, status('a', { eta_seconds: 42 }))
    takeSummaries(client, [summary('a')], Date.now() + 5)
    expect(known('a')?.eta_seconds).toBe(42)
  })

  it('a deleted media leaves the lists and its page', () => {
    client.setQueryData<LibraryData>(keys.libraryAll, library([summary('a'), summary('b')]))
    setStatus(client, status('a'))
    applyMessage(client, refresh, event('media.deleted', 'a'))
    expect(client.getQueryData<LibraryData>(keys.libraryAll)?.pages[0]?.items.map((m) => m.id)).toEqual(['b'])
    expect(client.getQueryData(keys.media('a'))).toBeNull()
    expect(known('a')).toBeUndefined()
  })

  it('a pause is shown at once', () => {
    applyMessage(client, refresh, event('queue.paused', ''))
    expect(client.getQueryData(keys.paused)).toBe(true)
    applyMessage(client, refresh, event('queue.resumed', ''))
    expect(client.getQueryData(keys.paused)).toBe(false)
  })

  it('a storm of progress asks for a task about once a second', async () => {
    const ask = vi.spyOn(client, 'invalidateQueries')
    for (let i = 0; i < 100; ++i) {
      applyMessage(client, refresh, event('task.progress', 'a', { status: status('a', { progress: i }) }))
      await vi.advanceTimersByTimeAsync(50)
    }
    const asked = ask.mock.calls.filter(([filter]) => JSON.stringify(filter?.queryKey) === JSON.stringify(keys.task('t-a'))).length
    expect(asked).toBeGreaterThanOrEqual(4)
    expect(asked).toBeLessThanOrEqual(7)
    expect(known('a')?.progress).toBe(99)
  })

  it('what takes long to get is asked for more rarely', async () => {
    await refresh.timed(keys.segments('a'), () => vi.advanceTimersByTimeAsync(1000).then(() => 1))
    const ask = vi.spyOn(client, 'invalidateQueries')
    for (let i = 0; i < 100; ++i) {
      refresh.soon(keys.segments('a'), 100)
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(ask.mock.calls.length).toBeLessThanOrEqual(3)
  })
})

describe('what comes at the head of the library', () => {
  it('is put before what is known', () => {
    const joined = joinHead([summary('b'), summary('a')], [summary('d'), summary('c'), summary('b')])
    expect(joined?.map((m) => m.id)).toEqual(['d', 'c', 'b', 'a'])
  })
  it('cannot be joined where more is new than a page', () => {
    expect(joinHead([summary('a')], [summary('d'), summary('c')])).toBeNull()
    expect(joinHead([], [summary('a')])).toBeNull()
  })
})
