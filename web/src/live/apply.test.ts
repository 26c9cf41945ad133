import { InfiniteQueryObserver, QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LiveEvent, MediaSummary, Status } from '../api/types'
import { applyMessage, keys, type LibraryData, setStatus, takeStatuses, takeSummaries } from './apply'
import { joinHead, libraryPage, lookForNew, takeOne } from './library'
import { Refresher } from './refresher'

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
  vi.unstubAllGlobals()
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
    const rest = shown(keys.status('a'), () => status('a', { status: 'cancelled', retry_count: 2 }))
    applyMessage(client, refresh, event('task.state', 'a', { data: { state: 'cancelled', progress: 20 } }))
    expect(known('a')).toMatchObject({ status: 'cancelled', eta_seconds: null })
    await vi.advanceTimersByTimeAsync(2000)
    expect(rest.asked).toBe(1)
    expect(known('a')?.retry_count).toBe(2)
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
    const task = shown(keys.task('t-a'), () => ({}))
    for (let i = 0; i < 100; ++i) {
      applyMessage(client, refresh, event('task.progress', 'a', { status: status('a', { progress: i }) }))
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(task.asked).toBeGreaterThanOrEqual(4)
    expect(task.asked).toBeLessThanOrEqual(8)
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

/** Something of the page that shows it: how often it was asked for. */
function shown(key: readonly unknown[], answer: () => unknown | Promise<unknown>): { asked: number } {
  const counted = { asked: 0 }
  new QueryObserver(client, {
    queryKey: key,
    queryFn: () => {
      counted.asked += 1
      return answer()
    },
  }).subscribe(() => {})
  return counted
}

describe('what is asked for anew', () => {
  it('is asked for more rarely where it takes long, but within ten seconds of the change', async () => {
    let took = 3_000
    const queue = shown(keys.queue, () => new Promise((done) => setTimeout(() => done({}), took)))
    await vi.advanceTimersByTimeAsync(3_100)
    refresh.soon(keys.queue)
    await vi.advanceTimersByTimeAsync(3_100) // and begun
    refresh.soon(keys.queue)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(queue.asked).toBe(2)
    took = 60_000 // the server is away
    await vi.advanceTimersByTimeAsync(65_000)
    expect(queue.asked).toBe(3)
    refresh.soon(keys.queue)
    await vi.advanceTimersByTimeAsync(10_100)
    expect(queue.asked).toBe(4)
  })

  it('is what is there: three hundred tasks that nobody looks at cost no look through all that is known', async () => {
    for (let i = 0; i < 50; ++i) setStatus(client, status(`m${i}`))
    const ask = vi.spyOn(client, 'invalidateQueries')
    for (let i = 0; i < 300; ++i) applyMessage(client, refresh, event('task.state', `other${i}`, { status: status(`other${i}`) }))
    await vi.advanceTimersByTimeAsync(5000)
    expect(ask.mock.calls.length).toBeLessThan(20)
  })


  it('is asked for once more where its first answer was on its way: that may be of before the change', async () => {
    const answers: (() => void)[] = []
    let asked = 0
    new QueryObserver(client, { queryKey: keys.queue, queryFn: () => new Promise<number>((done) => answers.push(() => done(++asked))) }).subscribe(() => {})
    applyMessage(client, refresh, event('task.state', 'm', { status: status('m') }))
    await vi.advanceTimersByTimeAsync(500)
    expect(answers.length).toBe(1)
    answers[0]?.()
    await vi.advanceTimersByTimeAsync(500)
    expect(answers.length).toBe(2)
    answers[1]?.()
    await vi.advanceTimersByTimeAsync(60_000)
    expect([answers.length, client.getQueryData(keys.queue)]).toEqual([2, 2])
  })

  it('does not break off the page that the reader asked for, and comes after it', async () => {
    const answers: (() => void)[] = []
    let asked = 0
    const list = new InfiniteQueryObserver(client, {
      queryKey: keys.search,
      queryFn: ({ pageParam }) => new Promise<string>((done) => answers.push(() => done(`${pageParam}: ${++asked}`))),
      initialPageParam: 1,
      getNextPageParam: (_last, pages) => pages.length + 1,
    })
    list.subscribe(() => {})
    answers[0]?.()
    await vi.advanceTimersByTimeAsync(10)
    void list.fetchNextPage()
    refresh.soon(keys.search)
    await vi.advanceTimersByTimeAsync(5000)
    expect(answers.length).toBe(2)
    for (const next of [1, 2, 3]) {
      answers[next]?.()
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(list.getCurrentResult().data?.pages).toEqual(['1: 3', '2: 4'])
  })
})

describe('the places of those that wait', () => {
  it('are asked for when another ends, is queued, moved or deleted: at most every 2 s, and only of those', async () => {
    setStatus(client, status('wait', { status: 'pending', queue_position: 5 }))
    setStatus(client, status('run'))
    const waits = shown(keys.status('wait'), () => status('wait', { status: 'pending', queue_position: 4 }))
    const runs = shown(keys.status('run'), () => status('run'))
    for (const type of ['task.state', 'task.created', 'task.updated', 'media.deleted'] as const) {
      const before = waits.asked
      for (let i = 0; i < 20; ++i) applyMessage(client, refresh, event(type, 'other', { status: status('other', { status: 'completed' }) }))
      await vi.advanceTimersByTimeAsync(2100)
      expect(waits.asked, type).toBe(before + 1)
    }
    expect(known('wait')?.queue_position).toBe(4)
    applyMessage(client, refresh, event('task.progress', 'other', { status: status('other') }))
    await vi.advanceTimersByTimeAsync(2100)
    expect([waits.asked, runs.asked]).toEqual([4, 0])
  })

  it('come with the queue where that is shown; one told meanwhile is newer, and an older task does not count', async () => {
    setStatus(client, status('wait', { status: 'pending', queue_position: 5 }))
    const waits = shown(keys.status('wait'), () => status('wait'))
    setStatus(client, status('unlisted', { status: 'pending', queue_position: 900 }))
    const unlisted = shown(keys.status('unlisted'), () => status('unlisted', { status: 'pending' }))
    shown(keys.queue, () => ({ waiting: [{ media_id: 'wait' }] }))
    await vi.advanceTimersByTimeAsync(1)
    refresh.places()
    await vi.advanceTimersByTimeAsync(2100)
    expect([waits.asked, unlisted.asked]).toEqual([0, 1])
    expect(client.getQueryState(keys.status('wait'))?.isInvalidated, 'a row that is shown later does not ask either').toBe(false)
    const asked = Date.now() + 1
    const place = (n: number) => status('wait', { status: 'pending', queue_position: n })
    takeStatuses(client, [place(4)], asked)
    expect(known('wait')?.queue_position).toBe(4)
    await vi.advanceTimersByTimeAsync(5)
    setStatus(client, place(2))
    takeStatuses(client, [place(3)], asked)
    expect(known('wait')?.queue_position).toBe(2)
    const next = Date.now() + 1
    takeStatuses(client, [{ ...place(1), task_id: 's-older' }, { ...place(1), task_id: 't-wait-2' }], next)
    expect(known('wait')?.task_id).toBe('t-wait-2')
  })
})

it('what an older task of a media still says does not stand for its newer one: the server is asked', async () => {
  setStatus(client, status('a', { task_id: 't-2', status: 'pending' }))
  const asked = shown(keys.status('a'), () => status('a', { task_id: 't-2', status: 'processing' }))
  applyMessage(client, refresh, event('task.state', 'a', { task_id: 't-1', status: status('a', { task_id: 't-1', status: 'cancelled' }) }))
  expect(known('a')).toMatchObject({ task_id: 't-2', status: 'pending' })
  await vi.advanceTimersByTimeAsync(600)
  expect(asked.asked).toBeGreaterThan(0)
  expect(known('a')?.status).toBe('processing')
})

describe('lists in a busy batch', () => {
  const answers = (answer: (path: string) => unknown) => {
    const asked: string[] = []
    vi.stubGlobal('fetch', async (path: string) => {
      asked.push(path)
      return new Response(JSON.stringify(answer(path)), { headers: { 'Content-Type': 'application/json' } })
    })
    return asked
  }
  const titles = () => client.getQueryData<LibraryData>(keys.libraryAll)?.pages.flatMap((p) => p.items.map((m) => m.title))

  it('a media that changed is asked for alone, and put where it stands', async () => {
    client.setQueryData<LibraryData>(keys.libraryAll, library([summary('b'), summary('a')]))
    refresh.takeOne = (id) => takeOne(client, id)
    const asked = answers(() => ({ ...summary('a', { title: 'new' }), media_info: null, task: null }))
    for (let i = 0; i < 5; ++i) applyMessage(client, refresh, event('media.updated', 'a'))
    applyMessage(client, refresh, event('media.updated', 'of nobody'))
    await vi.advanceTimersByTimeAsync(1000)
    expect(titles()).toEqual(['b', 'new'])
    expect(asked).toEqual(['/api/v1/media/a'])
  })

  it('what takes long comes to an end however much happens meanwhile, and is asked for once more then', async () => {
    const slow: { asked: number } = shown(keys.librarySome, () => new Promise((done) => setTimeout(done, 1500, slow.asked)))
    await vi.advanceTimersByTimeAsync(1600)
    for (let i = 0; i < 100; ++i) {
      refresh.soon(keys.librarySome, 300)
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(client.getQueryData(keys.librarySome)).toBe(2)
    expect(slow.asked).toBeLessThanOrEqual(3)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(client.getQueryData(keys.librarySome)).toBe(3)
  })

  it('a request that fails late is asked for as rarely as one that answers late', async () => {
    await refresh.timed(keys.queue, () => vi.advanceTimersByTimeAsync(1000).then(() => Promise.reject(new Error('no')))).catch(() => {})
    const ask = vi.spyOn(client, 'invalidateQueries')
    for (let i = 0; i < 100; ++i) {
      refresh.soon(keys.queue, 100)
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(ask.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it('what was deleted does not come back with an answer that was on its way', async () => {
    client.setQueryData<LibraryData>(keys.libraryAll, library([summary('b'), summary('a')]))
    answers(() => ({ items: [summary('b'), summary('a')], next_cursor: null }))
    const page = libraryPage(client, { status: '', search: '', sort: '' }, null)
    applyMessage(client, refresh, event('media.deleted', 'a'))
    expect((await page).items.map((m) => m.id)).toEqual(['b'])
    expect(known('a')).toBeUndefined()
    expect(titles()).toEqual(['b'])
  })

  it('what is new is looked for again where a list that may not have it is on its way', async () => {
    client.setQueryData<LibraryData>(keys.libraryAll, library([summary('a')]))
    refresh.lookForNew = () => lookForNew(client)
    answers(() => ({ items: [summary('b'), summary('a')], next_cursor: null }))
    let come: (data: LibraryData) => void = () => {}
    shown(keys.libraryAll, () => new Promise<LibraryData>((done) => (come = done)))
    void client.invalidateQueries({ queryKey: keys.libraryAll })
    await vi.advanceTimersByTimeAsync(10)
    applyMessage(client, refresh, event('media.created', 'b'))
    await vi.advanceTimersByTimeAsync(50)
    expect(titles()).toEqual(['b', 'a'])
    come(library([summary('a')]))
    await vi.advanceTimersByTimeAsync(10)
    expect(titles()).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(600)
    expect(titles()).toEqual(['b', 'a'])
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
