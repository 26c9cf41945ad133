// The uploads of this window, and those that an earlier one left unfinished. A file can't be read
// again after a reload, so an unfinished upload waits until the same file is dropped once more;
// then it goes on where it was. Of those that another window sends it is told by that window.
import type { DetailedError, PreviousUpload, Upload as TusUpload } from 'tus-js-client'
import { api, ApiError } from '../api/client'
import { csrfHeader } from '../api/session'

export type UploadState = 'waiting' | 'sending' | 'paused' | 'failed' | 'done' | 'unfinished' | 'elsewhere'

/** What stopped it: what the server answered; a status of 0: it could not be reached. Put into words where it is shown. */
export interface UploadProblem {
  status: number
  code: string
  detail: string
}

export interface UploadEntry {
  id: string
  name: string
  size: number
  sent: number
  state: UploadState
  /** Bytes a second, of the last seconds. */
  rate: number
  error: UploadProblem | null
  mediaId: string | null
}

const ENDPOINT = '/api/v1/uploads'
/** With the event stream, half of the connections that a browser allows to one server. */
const AT_ONCE = 2
/** A window that was not heard of for so long no longer sends. */
const FORGOTTEN_MS = 10_000
const ASK_MS = 3_000
/** Where the names are kept of those that the server knows nothing of yet. */
const NAMES = 'durascribe.uploads'

type Tus = typeof import('tus-js-client')

interface Held {
  entry: UploadEntry
  file: File | null
  upload: TusUpload | null
  url: string | null
  storageKey: string | null
  samples: { at: number; sent: number }[]
  /** Of its last start: an earlier one that is still on its way is of no account. */
  turn: number
  /** Runs while something goes; at its end nothing has for a while. */
  quiet: ReturnType<typeof setTimeout> | undefined
}

/** Between the windows. `left`: it is not finished, and nobody sends it now. */
interface Told {
  kind: 'who' | 'mine' | 'gone' | 'left'
  url?: string
  sent?: number
}

interface ServerUpload {
  offset: number
  length: number | null
  finished: boolean
  media_id: string | null
}

const QUIET_MS = 3000

/** The mean over the last four seconds. */
export function rateOf(samples: readonly { at: number; sent: number }[]): number {
  const first = samples[0]
  const last = samples[samples.length - 1]
  if (!first || !last || last.at - first.at < 300) return 0
  return Math.max(0, ((last.sent - first.sent) / (last.at - first.at)) * 1000)
}

export class Uploads {
  private held: Held[] = []
  private snapshot: UploadEntry[] = []
  private readonly listeners = new Set<() => void>()
  private readonly channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('durascribe-uploads')
  private readonly elsewhere = new Map<string, { sent: number; at: number }>()
  private watch: ReturnType<typeof setInterval> | undefined
  private counter = 0
  private turns = 0
  private saved = ''
  private guarded = false
  private tus: Promise<Tus> | null = null

  /** `load`: the library comes when it is first needed. */
  constructor(private readonly load: () => Promise<Tus> = () => import('tus-js-client')) {
    this.channel?.addEventListener('message', (event: MessageEvent<Told>) => this.heard(event.data))
    globalThis.addEventListener?.('pagehide', () => {
      for (const held of this.held) if (this.isOurs(held)) this.tell(held, 'left')
    })
    for (const { name, size } of savedNames()) this.hold({ name, size, state: 'unfinished' })
    this.publish()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  read = (): UploadEntry[] => this.snapshot

  /** What earlier windows left: shown, and gone on with when its file is dropped again. */
  async restore(): Promise<void> {
    this.channel?.postMessage({ kind: 'who' } satisfies Told)
    const tus = await this.library()
    const stored = await tus.defaultOptions.urlStorage.findAllUploads()
    // Time for the other windows to say which of them are theirs.
    await new Promise((done) => setTimeout(done, stored.length ? 300 : 0))
    for (const previous of stored) await this.restoreOne(previous)
  }

  add(files: Iterable<File>, options: Record<string, string> = {}): void {
    for (const file of files) {
      const same = this.held.filter((h) => !h.file && h.entry.name === file.name && h.entry.size === file.size)
      const known = same.find((h) => h.entry.state === 'unfinished') ?? same.find((h) => h.entry.state === 'elsewhere')
      if (known) {
        known.file = file
        // What another window sends goes on here once that one no longer does.
        if (known.entry.state === 'unfinished') this.change(known, { state: 'waiting', error: null })
        continue
      }
      this.options.set(this.hold({ name: file.name, size: file.size, state: 'waiting' }, file), options)
    }
    this.publish()
    this.fill()
  }

  pause(id: string): void {
    const held = this.find(id)
    if (!held || (held.entry.state !== 'sending' && held.entry.state !== 'waiting')) return
    void held.upload?.abort()
    held.samples = []
    this.change(held, { state: 'paused', rate: 0 })
    this.fill()
  }

  resume(id: string): void {
    const held = this.find(id)
    if (!held?.file || (held.entry.state !== 'paused' && held.entry.state !== 'failed')) return
    this.change(held, { state: 'waiting', error: null })
    this.fill()
  }

  /** The server is there again: what it could not be asked for goes on. */
  serverIsBack(): void {
    for (const { entry } of this.held) if (entry.state === 'failed' && entry.error?.status === 0) this.resume(entry.id)
  }

  /** Stops it for good: what has come is removed from the server. */
  async discard(id: string): Promise<void> {
    const held = this.find(id)
    if (!held) return
    held.turn = 0
    this.held = this.held.filter((h) => h !== held)
    this.publish()
    this.fill()
    if (held.entry.state === 'done') return
    this.tell(held, 'gone')
    const url = held.upload?.url ?? held.url
    await held.upload?.abort()
    if (held.storageKey) await (await this.library()).defaultOptions.urlStorage.removeUpload(held.storageKey)
    if (!url) return
    try {
      await api(pathOf(url), { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
    } catch (error) {
      // Gone already, or it will expire by itself.
      if (!(error instanceof ApiError)) throw error
    }
    const found = await (await this.library()).defaultOptions.urlStorage.findAllUploads()
    for (const one of found) if (one.uploadUrl === url) await (await this.library()).defaultOptions.urlStorage.removeUpload(one.urlStorageKey)
  }

  forgetDone(): void {
    this.held = this.held.filter((h) => h.entry.state !== 'done')
    this.publish()
  }

  private readonly options = new WeakMap<Held, Record<string, string>>()

  private library(): Promise<Tus> {
    this.tus ??= this.load().catch((error: unknown) => {
      this.tus = null // the next one tries again
      throw error
    })
    return this.tus
  }

  private find(id: string): Held | undefined {
    return this.held.find((h) => h.entry.id === id)
  }

  private hold(entry: Pick<UploadEntry, 'name' | 'size' | 'state'>, file: File | null = null, url: string | null = null, storageKey: string | null = null): Held {
    const held: Held = {
      entry: { sent: 0, rate: 0, error: null, mediaId: null, ...entry, id: `u${++this.counter}` },
      file,
      upload: null,
      url,
      storageKey,
      samples: [],
      turn: 0,
      quiet: undefined,
    }
    this.held.push(held)
    return held
  }

  private isOurs(held: Held): boolean {
    return held.file !== null && ['waiting', 'sending', 'paused', 'failed'].includes(held.entry.state)
  }

  private change(held: Held, change: Partial<UploadEntry>): void {
    held.entry = { ...held.entry, ...change }
    this.publish()
  }

  private publish(): void {
    this.snapshot = this.held.map((h) => h.entry)
    this.save()
    this.guard()
    for (const listener of this.listeners) listener()
  }

  // What the server has can be gone on with; of the others a later page knows the names at least.
  private save(): void {
    const names = this.held.filter((h) => !(h.upload?.url ?? h.url) && h.entry.state !== 'done').map((h) => ({ name: h.entry.name, size: h.entry.size }))
    const text = names.length > 0 ? JSON.stringify(names) : ''
    if (text === this.saved) return
    this.saved = text
    if (text) sessionStorage.setItem(NAMES, text)
    else sessionStorage.removeItem(NAMES)
  }

  // Leaving the page asks first while files would be lost.
  private guard(): void {
    const wanted = this.held.some((h) => h.file && ['waiting', 'sending', 'paused'].includes(h.entry.state))
    if (wanted === this.guarded) return
    this.guarded = wanted
    if (wanted) addEventListener('beforeunload', askFirst)
    else removeEventListener('beforeunload', askFirst)
  }

  private fill(): void {
    const busy = this.held.filter((h) => h.entry.state === 'sending').length
    const next = this.held.filter((h) => h.entry.state === 'waiting' && h.file).slice(0, Math.max(0, AT_ONCE - busy))
    for (const held of next) {
      // Of the upload itself it is told below; what is needed for it may not have come.
      this.send(held).catch(() => this.change(held, { state: 'failed', rate: 0, error: UNREACHED }))
    }
  }

  private async send(held: Held): Promise<void> {
    const file = held.file
    if (!file) return
    const turn = ++this.turns
    held.turn = turn
    this.change(held, { state: 'sending', error: null })
    const mine = () => held.turn === turn && held.entry.state === 'sending' // else it was paused meanwhile
    const tus = await this.library()
    if (!mine()) return
    if (held.upload) {
      held.upload.start()
      return
    }
    const upload = this.upload(tus, held, file)
    const previous = await upload.findPreviousUploads()
    if (!mine()) return
    const newest = previous.filter((p) => p.uploadUrl).sort((a, b) => b.creationTime.localeCompare(a.creationTime))[0]
    if (newest?.uploadUrl) {
      held.storageKey = newest.urlStorageKey
      held.url = newest.uploadUrl
      const theirs = this.sentElsewhere(newest.uploadUrl)
      if (theirs) {
        this.change(held, { state: 'elsewhere', sent: theirs.sent })
        this.watchOn()
        this.fill()
        return
      }
      upload.resumeFromPreviousUpload(newest)
    }
    held.upload = upload
    upload.start()
  }

  private upload(tus: Tus, held: Held, file: File): TusUpload {
    const upload = new tus.Upload(file, {
      endpoint: ENDPOINT,
      retryDelays: [200, 500, 1000, 2000, 4000, 4000, 4000, 8000, 8000, 15000],
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, ...this.options.get(held) },
      // The word of the session that is now: one may end, and another begin, under an upload.
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(csrfHeader())) request.setHeader(name, value)
      },
      onProgress: (sent) => this.progress(held, sent),
      onUploadUrlAvailable: () => {
        held.url = upload.url
        this.publish()
      },
      onAfterResponse: (_request, response) => {
        const media = response.getHeader('X-Durascribe-Media-Id')
        if (media) held.entry = { ...held.entry, mediaId: media }
      },
      onShouldRetry: (error) => {
        const status = (error as DetailedError).originalResponse?.getStatus() ?? 0
        // A full disk is said at once: it takes somebody to make room.
        return status === 0 || status === 409 || status === 423 || status === 429 || (status >= 500 && status !== 507)
      },
      onError: (error) => {
        this.change(held, { state: 'failed', rate: 0, error: problemOf(error as DetailedError) })
        this.fill()
      },
      onSuccess: () => {
        this.change(held, { state: 'done', sent: held.entry.size, rate: 0 })
        this.tell(held, 'gone')
        this.fill()
      },
    })
    return upload
  }

  private progress(held: Held, sent: number): void {
    if (held.entry.state !== 'sending') return
    clearTimeout(held.quiet)
    held.quiet = setTimeout(() => this.change(held, { rate: 0 }), QUIET_MS) // nothing goes any more: no speed is told
    const now = performance.now()
    held.samples = [...held.samples.filter((s) => now - s.at < 4000), { at: now, sent }]
    this.change(held, { sent, rate: rateOf(held.samples) })
    this.tell(held, 'mine')
  }

  private tell(held: Held, kind: Told['kind']): void {
    const url = held.upload?.url ?? held.url
    if (url) this.channel?.postMessage({ kind, url: pathOf(url), sent: held.entry.sent } satisfies Told)
  }

  private heard(told: Told): void {
    if (told.kind === 'who') {
      for (const held of this.held) if (this.isOurs(held)) this.tell(held, 'mine')
      return
    }
    if (!told.url) return
    const theirs = this.held.filter((h) => h.url && pathOf(h.url) === told.url && (h.entry.state === 'unfinished' || h.entry.state === 'elsewhere'))
    if (told.kind === 'mine') {
      this.elsewhere.set(told.url, { sent: told.sent ?? 0, at: Date.now() })
      for (const held of theirs) this.change(held, { state: 'elsewhere', sent: told.sent ?? held.entry.sent })
      if (theirs.length > 0) this.watchOn()
      return
    }
    this.elsewhere.delete(told.url)
    if (theirs.length === 0) return
    if (told.kind === 'left') {
      for (const held of theirs) this.release(held)
      return
    }
    this.held = this.held.filter((h) => !theirs.includes(h))
    this.publish()
  }

  private sentElsewhere(url: string): { sent: number; at: number } | undefined {
    const told = this.elsewhere.get(pathOf(url))
    return told && Date.now() - told.at < FORGOTTEN_MS ? told : undefined
  }

  // A window may end without a word. One that is there answers when it is asked, however slow its timers are.
  private watchOn(): void {
    this.watch ??= setInterval(() => {
      const theirs = this.held.filter((h) => h.entry.state === 'elsewhere')
      for (const held of theirs) if (!held.url || !this.sentElsewhere(held.url)) this.release(held)
      if (this.held.some((h) => h.entry.state === 'elsewhere')) {
        this.channel?.postMessage({ kind: 'who' } satisfies Told)
      } else {
        clearInterval(this.watch)
        this.watch = undefined
      }
    }, ASK_MS)
  }

  // No other window sends it now: it goes on here, or waits for its file.
  private release(held: Held): void {
    if (held.entry.state !== 'elsewhere') return
    this.change(held, { state: held.file ? 'waiting' : 'unfinished' })
    this.fill()
  }

  private async restoreOne(previous: PreviousUpload): Promise<void> {
    const url = previous.uploadUrl
    if (!url) return
    let there: ServerUpload | null = null
    try {
      there = await api<ServerUpload>(pathOf(url))
    } catch (error) {
      // Not reached: it is kept and shown as far as it is known. Expired, or removed: forgotten.
      if (error instanceof ApiError && error.status === 404) {
        await (await this.library()).defaultOptions.urlStorage.removeUpload(previous.urlStorageKey)
        return
      }
    }
    if (there?.finished) {
      await (await this.library()).defaultOptions.urlStorage.removeUpload(previous.urlStorageKey)
      return
    }
    if (this.held.some((h) => (h.upload?.url ?? h.url) === url)) return
    const theirs = this.sentElsewhere(url)
    const held = this.hold(
      { name: previous.metadata.filename ?? '', size: previous.size ?? there?.length ?? 0, state: theirs ? 'elsewhere' : 'unfinished' },
      null,
      url,
      previous.urlStorageKey,
    )
    this.change(held, { sent: theirs?.sent ?? there?.offset ?? 0 })
    if (theirs) this.watchOn()
  }
}

const askFirst = (event: BeforeUnloadEvent): void => event.preventDefault()

function savedNames(): { name: string; size: number }[] {
  try {
    const saved = JSON.parse(sessionStorage.getItem(NAMES) ?? '[]') as unknown
    if (!Array.isArray(saved)) return []
    return saved.filter((s: { name?: unknown; size?: unknown }): s is { name: string; size: number } => typeof s.name === 'string' && typeof s.size === 'number')
  } catch {
    return [] // Not what this page wrote.
  }
}

const pathOf = (url: string): string => new URL(url, location.href).pathname

const UNREACHED: UploadProblem = { status: 0, code: 'offline', detail: '' }

function problemOf(error: DetailedError): UploadProblem {
  const answer = error.originalResponse
  if (!answer) return UNREACHED
  const said: UploadProblem = { status: answer.getStatus(), code: '', detail: '' }
  try {
    const { code, detail } = JSON.parse(answer.getBody()) as { code?: unknown; detail?: unknown }
    return { ...said, code: typeof code === 'string' ? code : '', detail: typeof detail === 'string' ? detail : '' }
  } catch {
    return said // Not a problem document: a proxy's page, say. The status says it alone.
  }
}

export const uploads = new Uploads()
