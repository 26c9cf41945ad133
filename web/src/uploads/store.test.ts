import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { takeSession } from '../api/session'
import { en } from '../text/en'
import { zh } from '../text/zh'
import { uploadLine } from './panel'
import { type UploadEntry, Uploads } from './store'

interface Stored {
  size: number
  metadata: Record<string, string>
  creationTime: string
  uploadUrl: string
  urlStorageKey: string
}
const fake = { made: [] as FakeUpload[], stored: [] as Stored[] }

class FakeUpload {
  url: string | null = null
  starts = 0
  constructor(
    readonly file: File,
    readonly options: {
      onProgress: (sent: number) => void
      onUploadUrlAvailable: () => void
      onSuccess: () => void
      onError: (error: unknown) => void
      onShouldRetry: (error: unknown) => boolean
      onBeforeRequest: (request: { setHeader: (name: string, value: string) => void }) => void
    },
  ) {
    fake.made.push(this)
  }
  start() {
    this.starts += 1
  }
  async abort() {}
  async findPreviousUploads() {
    return fake.stored.filter((s) => s.metadata.filename === this.file.name)
  }
  resumeFromPreviousUpload(previous: Stored) {
    this.url = previous.uploadUrl
  }
  /** The server has made it. */
  create(url: string) {
    this.url = url
    fake.stored.push({ size: this.file.size, metadata: { filename: this.file.name }, creationTime: '2026', uploadUrl: url, urlStorageKey: url })
    this.options.onUploadUrlAvailable()
  }
}
const library = {
  Upload: FakeUpload,
  defaultOptions: {
    urlStorage: {
      findAllUploads: async () => [...fake.stored],
      removeUpload: async (key: string) => {
        fake.stored = fake.stored.filter((s) => s.urlStorageKey !== key)
      },
    },
  },
} as unknown as typeof import('tus-js-client')

class FakeChannel {
  static all: FakeChannel[] = []
  listener: (event: { data: unknown }) => void = () => {}
  constructor() {
    FakeChannel.all.push(this)
  }
  addEventListener(_: string, listener: (event: { data: unknown }) => void) {
    this.listener = listener
  }
  postMessage(data: unknown) {
    for (const other of FakeChannel.all) if (other !== this) other.listener({ data })
  }
}

let events: Map<string, (() => void)[]>
const memory = new Map<string, string>()
beforeEach(() => {
  vi.useFakeTimers()
  events = new Map()
  memory.clear()
  fake.made = []
  fake.stored = []
  FakeChannel.all = []
  vi.stubGlobal('BroadcastChannel', FakeChannel)
  vi.stubGlobal('location', { href: 'http://here/' })
  vi.stubGlobal('sessionStorage', { getItem: (k: string) => memory.get(k) ?? null, setItem: (k: string, v: string) => memory.set(k, v), removeItem: (k: string) => memory.delete(k) })
  vi.stubGlobal('addEventListener', (type: string, listener: () => void) => events.set(type, [...(events.get(type) ?? []), listener]))
  vi.stubGlobal('removeEventListener', (type: string, listener: () => void) => events.set(type, (events.get(type) ?? []).filter((l) => l !== listener)))
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ offset: 3, length: 10, finished: false, media_id: null }), { headers: { 'Content-Type': 'application/json' } }))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const file = (name: string, size = 10) => ({ name, size }) as File
const settle = () => vi.advanceTimersByTimeAsync(400)
const states = (uploads: Uploads) => uploads.read().map((u) => `${u.name} ${u.state} ${u.sent}`)
const asksFirst = () => (events.get('beforeunload') ?? []).length > 0
async function opened(): Promise<Uploads> {
  const uploads = new Uploads(async () => library)
  await Promise.all([uploads.restore(), settle()])
  return uploads
}
async function sending(name: string, url: string): Promise<Uploads> {
  const uploads = await opened()
  uploads.add([file(name)])
  await settle()
  fake.made[fake.made.length - 1]?.create(url)
  fake.made[fake.made.length - 1]?.options.onProgress(4)
  return uploads
}

describe('a server that goes away', () => {
  it('leaves no speed that nothing goes at', async () => {
    const uploads = await sending('a', 'http://here/up/a')
    await vi.advanceTimersByTimeAsync(600)
    fake.made[0]?.options.onProgress(8)
    expect(uploads.read()[0]?.rate).toBeGreaterThan(0)
    await vi.advanceTimersByTimeAsync(3100)
    expect(uploads.read()[0]?.rate).toBe(0)
  })

  it('is gone on with when it is back, but not where it has refused', async () => {
    const uploads = await opened()
    uploads.add([file('a'), file('b')])
    await settle()
    fake.made[0]?.options.onError({})
    fake.made[1]?.options.onError({ originalResponse: { getStatus: () => 507, getBody: () => '{"code":"storage_full"}', getHeader: () => '' } })
    expect(states(uploads)).toEqual(['a failed 0', 'b failed 0'])
    uploads.serverIsBack()
    await settle()
    expect(states(uploads)).toEqual(['a sending 0', 'b failed 0'])
  })
})

describe('files that would be lost', () => {
  it('make the page ask before it is left, until they are sent', async () => {
    const uploads = await opened()
    expect(asksFirst()).toBe(false)
    uploads.add([file('a')])
    await settle()
    expect(asksFirst()).toBe(true)
    uploads.pause('u1')
    expect(asksFirst()).toBe(true)
    uploads.resume('u1')
    await settle()
    fake.made[0]?.options.onSuccess()
    expect(asksFirst()).toBe(false)
  })

  it('are at least named after a reload where the server knows nothing of them, and dropped again go on', async () => {
    const before = await opened()
    before.add(['a', 'b', 'c', 'd'].map((name) => file(name)))
    await settle()
    expect(states(before)).toEqual(['a sending 0', 'b sending 0', 'c waiting 0', 'd waiting 0'])
    fake.made[0]?.create('http://here/up/a')
    before.pause('u4')

    const after = await opened()
    expect(states(after).sort()).toEqual(['a elsewhere 0', 'b unfinished 0', 'c unfinished 0', 'd unfinished 0'])
    after.add([file('d')])
    await settle()
    expect(states(after)).toContain('d sending 0')
    for (const u of after.read()) if (u.state !== 'elsewhere') void after.discard(u.id)
    await settle()
    expect(memory.size).toBe(0)
  })

  it('are not sent twice where pause and resume come fast, nor once discarded', async () => {
    const uploads = await opened()
    uploads.add([file('a')])
    uploads.pause('u1')
    uploads.resume('u1')
    await settle()
    expect(fake.made.reduce((n, u) => n + u.starts, 0)).toBe(1)
    uploads.add([file('b')])
    void uploads.discard('u2')
    await settle()
    expect(fake.made.reduce((n, u) => n + u.starts, 0)).toBe(1)
  })
})

describe('an upload in another window', () => {
  it('is shown as it goes, is unfinished when that window is left, and gone when it is discarded there', async () => {
    const there = await sending('a', 'http://here/up/a')
    const here = await opened()
    expect(states(here)).toEqual(['a elsewhere 4'])
    fake.made[0]?.options.onProgress(6)
    expect(states(here)).toEqual(['a elsewhere 6'])
    events.get('pagehide')?.[0]?.()
    expect(states(here)).toEqual(['a unfinished 6'])
    fake.made[0]?.options.onProgress(7)
    expect(states(here)).toEqual(['a elsewhere 7'])
    void there.discard('u1')
    await settle()
    expect(states(here)).toEqual([])
  })

  it('is unfinished where that window ends without a word, but not while it answers', async () => {
    const there = await sending('a', 'http://here/up/a')
    const here = await opened()
    there.pause('u1') // it says nothing by itself
    await vi.advanceTimersByTimeAsync(60_000)
    expect(states(here)).toEqual(['a elsewhere 4'])
    FakeChannel.all.shift()
    await vi.advanceTimersByTimeAsync(13_500)
    expect(states(here)).toEqual(['a unfinished 4'])
  })

  it('is not sent from here as well when its file is dropped, but goes on here once nobody else does', async () => {
    await sending('a', 'http://here/up/a')
    const here = await opened()
    here.add([file('a')])
    await settle()
    expect(states(here)).toEqual(['a elsewhere 4'])
    expect(fake.made.length).toBe(1)
    events.get('pagehide')?.[0]?.()
    await settle()
    expect(states(here)).toEqual(['a sending 4'])
    expect(fake.made[1]).toMatchObject({ url: 'http://here/up/a', starts: 1 })
  })

  it('is known of also where it was begun after this window', async () => {
    const here = await opened()
    await sending('a', 'http://here/up/a')
    here.add([file('a')])
    await settle()
    expect(states(here)).toEqual(['a elsewhere 4'])
  })
})

it('each request has the word of the session that is now', async () => {
  const uploads = await opened()
  uploads.add([file('a')])
  await settle()
  const headers = () => {
    const set: string[] = []
    fake.made[0]?.options.onBeforeRequest({ setHeader: (name, value) => set.push(`${name}: ${value}`) })
    return set
  }
  takeSession({ kind: 'session', name: null, scopes: [], csrf_token: 'first' })
  expect(headers()).toEqual(['X-CSRF-Token: first'])
  takeSession({ kind: 'session', name: null, scopes: [], csrf_token: 'second' })
  expect(headers()).toEqual(['X-CSRF-Token: second'])
})

describe('an upload that was stopped', () => {
  const stopped = async (error: unknown) => {
    const uploads = await opened()
    uploads.add([file('a')])
    await settle()
    fake.made[fake.made.length - 1]?.options.onError(error)
    expect(states(uploads)).toEqual(['a failed 0'])
    return uploads.read()[0] as UploadEntry
  }
  const answered = (status: number, body: string) => ({ originalResponse: { getStatus: () => status, getBody: () => body } })

  it('is tried again by itself where that may help without anybody', async () => {
    const uploads = await opened()
    uploads.add([file('a')])
    await settle()
    const again = (error: unknown) => fake.made[0]?.options.onShouldRetry(error)
    expect([0, 409, 423, 429, 500, 502, 503, 400, 401, 404, 413, 507].filter((status) => again(answered(status, '')))).toEqual([0, 409, 423, 429, 500, 502, 503])
    expect(again(new Error('no network'))).toBe(true)
  })
  it('says why in the language of the reader, as it is when it is read', async () => {
    const full = await stopped(answered(507, JSON.stringify({ code: 'storage_full', detail: 'The disk is full.' })))
    expect(uploadLine(full, en)).toBe('Stopped · The disk is full.')
    expect(uploadLine(full, zh)).toMatch(/^已停止 · [^A-Za-z]+$/)
  })
  it('says so where the answer was not the server’s, or there was none', async () => {
    const proxy = await stopped(answered(502, '<html>Bad Gateway</html>'))
    expect(uploadLine(proxy, en)).toBe('Stopped · The server answered 502. Try again.')
    expect(uploadLine(proxy, zh)).toBe('已停止 · 服务器出错（502）。')
    expect(uploadLine(await stopped(new Error('no network')), en)).toBe('Stopped · The server cannot be reached. Resume when it is back.')
  })
})
