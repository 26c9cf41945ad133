// Places in transcripts that match, each opening at its second.
import { useQuery } from '@tanstack/react-query'
import { api } from '../api/client'
import { keys } from '../live/apply'
import { useText } from '../text'
import { clock } from '../text/format'
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

export function SearchHits({ query }: { query: string }) {
  const text = useText()
  const found = useQuery({
    queryKey: [...keys.search, query],
    queryFn: ({ signal }) => api<{ items: Hit[]; next_cursor: string | null }>(`/api/v1/search?limit=50&q=${encodeURIComponent(query)}`, { signal }),
    placeholderData: (before) => before,
  })
  const hits = (found.data?.items ?? []).filter((h) => h.kind === 'segment')
  if (hits.length === 0) return null
  return (
    <section className="hits card" aria-label={text.inTranscripts}>
      <header>
        <h2>{text.inTranscripts}</h2>
        <span className="muted" data-testid="hits">
          {found.data?.next_cursor ? `${hits.length}+` : text.hits(hits.length)}
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
    </section>
  )
}
