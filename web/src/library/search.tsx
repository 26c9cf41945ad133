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
  start: number | null
  snippet: string
}

export function SearchHits({ query }: { query: string }) {
  const text = useText()
  const found = useQuery({
    queryKey: [...keys.search, query],
    queryFn: ({ signal }) => api<{ items: Hit[] }>(`/api/v1/search?q=${encodeURIComponent(query)}`, { signal }),
    placeholderData: (before) => before,
  })
  const hits = (found.data?.items ?? []).filter((h) => h.start !== null)
  if (hits.length === 0) return null
  return (
    <section className="hits card" aria-label={text.inTranscripts}>
      <header>
        <h2>{text.inTranscripts}</h2>
        <span className="muted">{text.hits(hits.length)}</span>
      </header>
      <ul role="list">
        {hits.map((h, i) => (
          <li key={i}>
            <a href={mediaHash(h.media_id, h.start)}>
              <span className="hit-time">{clock(h.start ?? 0)}</span>
              <span className="hit-title" dir="auto">
                {h.title}
              </span>
              <span className="hit-text" dir="auto">
                {h.snippet}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}
