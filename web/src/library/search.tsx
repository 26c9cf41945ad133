// Places in transcripts that match, each opening at its second.
import { useInfiniteQuery } from '@tanstack/react-query'
import { api } from '../api/client'
import type { Page } from '../api/types'
import { keys } from '../live/apply'
import { reason } from '../media/actions'
import { useText } from '../text'
import { clock } from '../text/format'
import { Button } from '../ui/parts'
import { mediaHash } from '../ui/route'

interface Hit {
  media_id: string
  title: string
  kind: 'title' | 'segment'
  segment_id: number | null
  start: number | null
  snippet: { text: string; marks: { start: number; end: number }[] }
}

/** The text in pieces, every second one marked. The places are UTF-16 code units, as slice() counts. */
export function markedPieces(text: string, marks: readonly { start: number; end: number }[]): string[] {
  const pieces: string[] = []
  let at = 0
  for (const { start, end } of marks) {
    if (start < at || end <= start) continue
    pieces.push(text.slice(at, start), text.slice(start, end))
    at = end
  }
  pieces.push(text.slice(at))
  return pieces
}

/** What is found in transcripts. `none`: that is known to be nothing. */
export function useHits(query: string, on: boolean) {
  const found = useInfiniteQuery({
    queryKey: [...keys.search, query],
    queryFn: ({ pageParam, signal }) => {
      const asked = new URLSearchParams({ limit: '50', q: query, ...(pageParam === null ? {} : { cursor: pageParam }) })
      return api<Page<Hit>>(`/api/v1/search?${asked}`, { signal })
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
    enabled: on && query !== '',
  })
  const hits = (found.data?.pages ?? []).flatMap((page) => page.items).filter((h) => h.kind === 'segment')
  return { found, hits, none: found.isSuccess && !found.isPlaceholderData && hits.length === 0 && !found.hasNextPage }
}

export function SearchHits({ of: { found, hits } }: { of: ReturnType<typeof useHits> }) {
  const text = useText()
  if (found.isError) {
    return (
      <section className="hits card" aria-label={text.inTranscripts}>
        <p role="alert">
          {text.loadFailed}: {reason(found.error)}
        </p>
        <Button small onClick={() => void found.refetch()}>
          {text.tryAgain}
        </Button>
      </section>
    )
  }
  if (hits.length === 0 && !found.hasNextPage) return null
  return (
    <section className="hits card" aria-label={text.inTranscripts}>
      <header>
        <h2>{text.inTranscripts}</h2>
        <span className="muted" data-testid="hits">
          {found.hasNextPage ? `${hits.length}+` : text.hits(hits.length)}
        </span>
      </header>
      <ul role="list">
        {hits.map((h, i) => (
          <li key={`${h.media_id}.${h.segment_id ?? i}`}>
            <a href={mediaHash(h.media_id, h.start)}>
              <span className="hit-time">{clock(h.start ?? 0)}</span>
              <span className="hit-title" dir="auto">
                {h.title}
              </span>
              <span className="hit-text" dir="auto">
                {markedPieces(h.snippet.text, h.snippet.marks).map((piece, n) => (n % 2 === 1 ? <mark key={n}>{piece}</mark> : piece))}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {found.hasNextPage && (
        <Button small disabled={found.isFetching} onClick={() => void found.fetchNextPage()}>
          {text.hitsMore}
        </Button>
      )}
    </section>
  )
}
