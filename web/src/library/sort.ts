import type { MediaSummary } from '../api/types'

/** The server gives them newest first; other orders are made here, of all that is loaded. */
export function sorted(items: readonly MediaSummary[], order: string, tag: string): MediaSummary[] {
  const copy = [...items]
  switch (order) {
    case 'oldest':
      return copy.reverse()
    case 'title': {
      const collator = new Intl.Collator(tag, { numeric: true, sensitivity: 'base' })
      return copy.sort((a, b) => collator.compare(a.title, b.title))
    }
    case 'longest':
      return copy.sort((a, b) => (b.duration_seconds ?? -1) - (a.duration_seconds ?? -1))
    default:
      return copy
  }
}
