// Asks anew for what is shown: soon after it changed, but not more often than it can be answered.
import { hashKey, type QueryClient, type QueryFilters, type QueryKey } from '@tanstack/react-query'
import type { Queue, Status } from '../api/types'
import { keys } from './keys'

const RAREST_MS = 10_000

export class Refresher {
  /** Set by the page: looks for what came at the head of the library. True: to be done once more. */
  lookForNew: () => Promise<boolean> = async () => false
  /** Set by the page: gets one media and puts it where it stands in the lists. True: once more. */
  takeOne: (media: string) => Promise<boolean> = async () => false
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>()
  /** What is under way, and what is to follow it. */
  private readonly underWay = new Map<string, (() => void) | null>()
  private readonly last = new Map<string, number>()
  private readonly took = new Map<string, number>()
  private readonly ran = new Map<string, number>()

  constructor(
    private readonly client: QueryClient,
    private readonly now: () => number = () => Date.now(),
  ) {}

  /** Runs a request and notes how long it takes: what takes long is asked for more rarely. */
  async timed<T>(key: QueryKey, ask: () => Promise<T>): Promise<T> {
    const begun = this.now()
    try {
      return await ask()
    } finally {
      this.took.set(JSON.stringify(key), this.now() - begun)
    }
  }

  newest(): void {
    this.once('newest', 250, async () => {
      if (await this.lookForNew()) this.newest()
    })
  }

  one(media: string): void {
    this.once(`one ${media}`, 300, async () => {
      if (await this.takeOne(media)) this.one(media)
    })
  }

  /** Of all whose keys begin so. */
  soon(key: QueryKey, everyMs = 300): void {
    this.once(JSON.stringify(key), everyMs, () => this.anew({ queryKey: key }))
  }

  /** Of the one that has this key, where there is one: found without looking through all of them, of which there may be thousands. */
  only(key: QueryKey, everyMs = 300): void {
    const cache = this.client.getQueryCache()
    const hash = hashKey(key)
    if (!cache.get(hash)) return
    this.once(hash, everyMs, async () => {
      const query = cache.get(hash)
      if (query) await this.anew({ predicate: (one) => one === query })
    })
  }

  // What is on its way is not broken off: it may be a page that the reader asked for, which nobody
  // would ask for again. It may be of before the change, too, and is followed by another.
  private async anew(filters: QueryFilters): Promise<void> {
    const onItsWay = this.client.getQueryCache().findAll({ ...filters, fetchStatus: 'fetching' }).length > 0
    await this.client.invalidateQueries(filters, { cancelRefetch: false })
    if (onItsWay) await this.client.invalidateQueries(filters, { cancelRefetch: false })
  }

  /**
   * The places of those that wait, which no event tells: they move up when another one ends. Those of
   * a queue that is shown come with its answer.
   */
  places(): void {
    this.once('places', 2000, () => {
      const queue = this.client.getQueryCache().find<Queue>({ queryKey: keys.queue })
      const listed = new Set(queue?.isActive() ? queue.state.data?.waiting.map((entry) => entry.media_id) : [])
      return this.client.invalidateQueries({
        queryKey: keys.statuses,
        refetchType: 'active',
        predicate: (query) => {
          const status = query.state.data as Status | undefined
          return status?.status === 'pending' && !listed.has(status.media_id)
        },
      })
    })
  }

  // One at a time of each name: what was begun is never broken off, so that it comes to an end
  // however much happens. As it may have begun before the change, it is followed by another.
  private once(name: string, everyMs: number, run: () => Promise<unknown>): void {
    if (this.underWay.has(name)) {
      this.underWay.set(name, () => this.once(name, everyMs, run))
      return
    }
    if (this.waiting.has(name)) return
    // What once took long, as while the server was away, is not put off for long.
    const pause = Math.min(RAREST_MS, Math.max(everyMs, 5 * (this.took.get(name) ?? 0), 5 * (this.ran.get(name) ?? 0)))
    const since = this.now() - (this.last.get(name) ?? 0)
    const begin = () => {
      const begun = this.now()
      this.waiting.delete(name)
      this.last.set(name, begun)
      this.underWay.set(name, null)
      void run().finally(() => {
        this.ran.set(name, this.now() - begun)
        const next = this.underWay.get(name)
        this.underWay.delete(name)
        next?.()
      })
    }
    this.waiting.set(name, setTimeout(begin, Math.max(30, pause - since)))
  }
}
