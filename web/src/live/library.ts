// The library's list: pages from the server, and what came at its head since.
import type { QueryClient } from '@tanstack/react-query'
import { api } from '../api/client'
import type { MediaSummary, Page } from '../api/types'
import { type LibraryData, keys, takeSummaries } from './apply'

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
  return page
}

/** What of `fresh` is put before what is known; null: they do not meet, more than one page is new. */
export function joinHead(known: MediaSummary[], fresh: MediaSummary[]): MediaSummary[] | null {
  if (known.length === 0) return null
  const ids = new Set(known.map((m) => m.id))
  const meets = fresh.findIndex((m) => ids.has(m.id))
  if (meets < 0) return null
  return [...fresh.slice(0, meets), ...known]
}

export async function lookForNew(client: QueryClient): Promise<void> {
  const data = client.getQueryData<LibraryData>(keys.libraryAll)
  if (!data) return
  let page: Page<MediaSummary>
  try {
    page = await libraryPage(client, { status: '', search: '', sort: '' }, null)
  } catch {
    return // The line is lost: on its return everything is asked for.
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
}
