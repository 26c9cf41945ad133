// The library's list: pages from the server, and what came at its head since.
import type { QueryClient } from '@tanstack/react-query'
import { api, mediaPath } from '../api/client'
import type { Media, MediaSummary, Page } from '../api/types'
import { isForgotten, type LibraryData, keys, patchLists, takeSummaries } from './apply'

export interface LibraryFilter {
  status: string
  search: string
  /** Of ORDERS; '' is newest first, as is whatever is searched. */
  sort: string
}

/** The orders that a reader can choose, as the server calls them. */
const ORDERS = new Map(
  Object.entries({
    oldest: { sort: 'created', order: 'asc' },
    title: { sort: 'title', order: 'asc' },
    longest: { sort: 'duration', order: 'desc' },
  }),
)

export function libraryQuery(filter: LibraryFilter, cursor: string | null): URLSearchParams {
  const query = new URLSearchParams({ limit: '100' })
  const order = filter.search ? undefined : ORDERS.get(filter.sort)
  if (filter.status) query.set('status', filter.status)
  if (filter.search) query.set('search', filter.search)
  if (order) {
    query.set('sort', order.sort)
    query.set('order', order.order)
  }
  if (cursor) query.set('cursor', cursor)
  return query
}

export function libraryKey(filter: LibraryFilter): readonly unknown[] {
  const chosen = libraryQuery(filter, null)
  chosen.delete('limit')
  return chosen.size > 0 ? [...keys.librarySome, chosen.toString()] : keys.libraryAll
}

export async function libraryPage(client: QueryClient, filter: LibraryFilter, cursor: string | null, signal?: AbortSignal): Promise<Page<MediaSummary>> {
  const asked = Date.now()
  const page = await api<Page<MediaSummary>>(`/api/v1/media?${libraryQuery(filter, cursor)}`, { signal })
  takeSummaries(client, page.items, asked)
  return { ...page, items: page.items.filter((m) => !isForgotten(client, m.id)) }
}

/** What of `fresh` is put before what is known; null: they do not meet, more than one page is new. */
export function joinHead(known: MediaSummary[], fresh: MediaSummary[]): MediaSummary[] | null {
  if (known.length === 0) return null
  const ids = new Set(known.map((m) => m.id))
  const meets = fresh.findIndex((m) => ids.has(m.id))
  if (meets < 0) return null
  return [...fresh.slice(0, meets), ...known]
}

/** True: to be done once more, as the list is being fetched, and what comes may not know what is new. */
export async function lookForNew(client: QueryClient): Promise<boolean> {
  const data = client.getQueryData<LibraryData>(keys.libraryAll)
  const fetching = client.isFetching({ queryKey: keys.libraryAll }) > 0
  if (!data) return fetching
  let page: Page<MediaSummary>
  try {
    page = await libraryPage(client, { status: '', search: '', sort: '' }, null)
  } catch {
    return false // The line is lost: on its return everything is asked for.
  }
  let met = true
  client.setQueryData<LibraryData>(keys.libraryAll, (now) => {
    const first = now?.pages[0]
    if (!now || !first) return now
    const items = joinHead(first.items, page.items)
    met = items !== null
    return items ? { ...now, pages: [{ ...first, items }, ...now.pages.slice(1)] } : now
  })
  if (!met) await client.invalidateQueries({ queryKey: keys.libraryAll })
  return met && fetching
}

/** Gets one media anew, for the lists that have it. True: once more, as a list is being fetched that may have it as it was. */
export async function takeOne(client: QueryClient, id: string): Promise<boolean> {
  const fetching = client.isFetching({ queryKey: keys.library }) > 0
  const lists = client.getQueriesData<LibraryData>({ queryKey: keys.library })
  if (!lists.some(([, data]) => data?.pages.some((page) => page.items.some((m) => m.id === id)))) return fetching
  try {
    const { media_info, task, ...item } = await api<Media>(mediaPath(id))
    patchLists(client, id, () => item)
  } catch {
    return false // Deleted, which is told; or the line is lost, and on its return everything is asked for.
  }
  return fetching
}
