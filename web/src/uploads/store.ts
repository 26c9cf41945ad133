// The uploads of this window, and those that an earlier one left unfinished. A file can't be read
// again after a reload, so an unfinished upload waits until the same file is dropped once more;
// then it goes on where it was.
import type { DetailedError, PreviousUpload, Upload as TusUpload } from 'tus-js-client'
import { api, ApiError } from '../api/client'
import { csrfHeader } from '../api/session'

export type UploadState = 'waiting' | 'sending' | 'paused' | 'failed' | 'done' | 'unfinished' | 'elsewhere'

export interface UploadEntry {
  id: string
  name: string
  size: number
  sent: number
  state: UploadState
  /** Bytes a second, of the last seconds. */
  rate: number
  error: string | null
  mediaId: string | null
}

const ENDPOINT = '/api/v1/uploads'
const AT_ONCE = 3

interface Held {
  entry: UploadEntry
  file: File | null
  upload: TusUpload | null
  url: string | null
  storageKey: string | null
  samples: { at: number; sent: number }[]
}

interface Told {
  kind: 'who' | 'mine' | 'gone'
  url?: string
  sent?: number
}

interface ServerUpload {
  offset: number
  length: number | null
  finished: boolean
  media_id: string | null
}

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
  private readonly elsewhere = new Map<string, number>()
  private counter = 0
  private tus: typeof import('tus-js-client') | null = null

  constructor() {
    this.channel?.addEventListener('message', (event: MessageEvent<Told>) => this.heard(event.data))
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
      const known = this.held.find((h) => h.entry.state === 'unfinished' && h.entry.name === file.name && h.entry.size === file.size)
      if (known) {
        known.file = file
        this.change(known, { state: 'waiting', error: null })
        continue
      }
      const held: Held = {
        entry: { id: `u${++this.counter}`, name: file.name, size: file.size, sent: 0, state: 'waiting', rate: 0, error: null, mediaId: null },
        file,
        upload: null,
        url: null,
        storageKey: null,
        samples: [],
      }
      this.held.push(held)
      this.options.set(held, options)
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

  /** Stops it for good: what has come is removed from the server. */
  async discard(id: string): Promise<void> {
    const held = this.find(id)
    if (!held) return
    this.held = this.held.filter((h) => h !== held)
    this.publish()
    this.fill()
    if (held.entry.state === 'done') return
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

  private async library(): Promise<typeof import('tus-js-client')> {
    this.tus ??= await import('tus-js-client')
    return this.tus
  }

  private find(id: string): Held | undefined {
    return this.held.find((h) => h.entry.id === id)
  }

  private change(held: Held, change: Partial<UploadEntry>): void {
    held.entry = { ...held.entry, ...change }
    this.publish()
  }

  private publish(): void {
    this.snapshot = this.held.map((h) => h.entry)
    for (const listener of this.listeners) listener()
  }

  private fill(): void {
    const busy = this.held.filter((h) => h.entry.state === 'sending').length
    const next = this.held.filter((h) => h.entry.state === 'waiting' && h.file).slice(0, Math.max(0, AT_ONCE - busy))
    for (const held of next) void this.send(held)
  }

  private async send(held: Held): Promise<void> {
    const file = held.file
    if (!file) return
    this.change(held, { state: 'sending', error: null })
    const tus = await this.library()
    if (held.entry.state !== 'sending') return // paused meanwhile
    if (held.upload) {
      held.upload.start()
      return
    }
    const upload = new tus.Upload(file, {
      endpoint: ENDPOINT,
      retryDelays: [200, 500, 1000, 2000, 4000, 4000, 4000, 8000, 8000, 15000],
      removeFingerprintOnSuccess: true,
      headers: csrfHeader(),
      metadata: { filename: file.name, ...this.options.get(held) },
      onProgress: (sent) => this.progress(held, sent),
      onUploadUrlAvailable: () => {
        held.url = upload.url
      },
      onAfterResponse: (_request, response) => {
        const media = response.getHeader('X-Durascribe-Media-Id')
        if (media) held.entry = { ...held.entry, mediaId: media }
      },
      onShouldRetry: (error) => {
        const status = (error as DetailedError).originalResponse?.getStatus() ?? 0
        return status === 0 || status === 409 || status === 423 || status === 429 || status >= 500
      },
      onError: (error) => {
        this.change(held, { state: 'failed', rate: 0, error: messageOf(error as DetailedError) })
        this.fill()
      },
      onSuccess: () => {
        this.change(held, { state: 'done', sent: held.entry.size, rate: 0 })
        this.tell(held, 'gone')
        this.fill()
      },
    })
    held.upload = upload
    const previous = await upload.findPreviousUploads()
    const newest = previous.filter((p) => p.uploadUrl).sort((a, b) => b.creationTime.localeCompare(a.creationTime))[0]
    if (newest) {
      upload.resumeFromPreviousUpload(newest)
      held.storageKey = newest.urlStorageKey
    }
    if (held.entry.state === 'sending') upload.start()
  }

  private progress(held: Held, sent: number): void {
    if (held.entry.state !== 'sending') return
    const now = performance.now()
    held.samples = [...held.samples.filter((s) => now - s.at < 4000), { at: now, sent }]
    this.change(held, { sent, rate: rateOf(held.samples) })
    this.tell(held, 'mine')
  }

  private tell(held: Held, kind: Told['kind']): void {
    const url = held.upload?.url
    if (url) this.channel?.postMessage({ kind, url: pathOf(url), sent: held.entry.sent } satisfies Told)
  }

  private heard(told: Told): void {
    if (told.kind === 'who') {
      for (const held of this.held) if (held.entry.state === 'sending' || held.entry.state === 'paused') this.tell(held, 'mine')
      return
    }
    if (!told.url) return
    const ours = this.held.find((h) => h.url && pathOf(h.url) === told.url && !h.file)
    if (told.kind === 'gone') {
      this.elsewhere.delete(told.url)
      if (ours) {
        this.held = this.held.filter((h) => h !== ours)
        this.publish()
      }
      return
    }
    this.elsewhere.set(told.url, told.sent ?? 0)
    if (ours) this.change(ours, { state: 'elsewhere', sent: told.sent ?? ours.entry.sent })
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
    const theirs = this.elsewhere.get(pathOf(url))
    this.held.push({
      entry: {
        id: `u${++this.counter}`,
        name: previous.metadata.filename ?? '',
        size: previous.size ?? there?.length ?? 0,
        sent: theirs ?? there?.offset ?? 0,
        state: theirs === undefined ? 'unfinished' : 'elsewhere',
        rate: 0,
        error: null,
        mediaId: null,
      },
      file: null,
      upload: null,
      url,
      storageKey: previous.urlStorageKey,
      samples: [],
    })
    this.publish()
  }
}

const pathOf = (url: string): string => new URL(url, location.href).pathname

function messageOf(error: DetailedError): string {
  const body = error.originalResponse?.getBody()
  if (body) {
    try {
      const problem = JSON.parse(body) as { detail?: string }
      if (problem.detail) return problem.detail
    } catch {
      // Said by its status alone.
    }
  }
  return error.originalResponse ? `${error.originalResponse.getStatus()}` : 'offline'
}

export const uploads = new Uploads()
