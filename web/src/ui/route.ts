// Addresses inside the page, after the #: links work when opened anew, and the server knows none of them.
import { parseSeconds } from '../text/format'

export type Route =
  | { view: 'library'; query: string; status: string; sort: string }
  | { view: 'media'; id: string; at: number | null }
  | { view: 'queue' }
  | { view: 'system' }

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?', 2)
  const query = new URLSearchParams(search)
  const media = /^\/media\/([0-9a-fA-F-]{36})$/.exec(path)
  if (media?.[1]) return { view: 'media', id: media[1].toLowerCase(), at: parseSeconds(query.get('t')) }
  if (path === '/queue') return { view: 'queue' }
  if (path === '/system') return { view: 'system' }
  return { view: 'library', query: query.get('q') ?? '', status: query.get('status') ?? '', sort: query.get('sort') ?? '' }
}

export function routeHash(route: Route): string {
  switch (route.view) {
    case 'media':
      return `#/media/${route.id}${route.at === null ? '' : `?t=${route.at}`}`
    case 'queue':
      return '#/queue'
    case 'system':
      return '#/system'
    case 'library': {
      const query = new URLSearchParams()
      if (route.query) query.set('q', route.query)
      if (route.status) query.set('status', route.status)
      if (route.sort) query.set('sort', route.sort)
      const text = query.toString()
      return `#/${text ? `?${text}` : ''}`
    }
  }
}

/** Where the library was left: its search and filter, and how far it was scrolled. */
export const left = { hash: '#/', scroll: 0 }

export const mediaHash = (id: string, at: number | null = null): string => routeHash({ view: 'media', id, at })

export function go(route: Route, replace = false): void {
  const hash = routeHash(route)
  if (replace) {
    history.replaceState(null, '', hash)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else {
    location.hash = hash
  }
}
