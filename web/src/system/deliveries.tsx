// What was sent to a webhook, how that went, and once more where it is wanted.
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/client'
import type { Page } from '../api/types'
import { useActions } from '../media/actions'
import { useText } from '../text'
import { fullTime, when } from '../text/format'
import { Button } from '../ui/parts'

type DeliveryState = 'waiting' | 'delivered' | 'failed'

interface Delivery {
  id: string
  type: string
  status: DeliveryState
  attempts: number
  created_at: string
  next_attempt_at: string | null
}

interface DeliveryInFull extends Delivery {
  body: string
  log: { number: number; started_at: string; duration_ms: number; status: number | null; error: string | null; response_excerpt: string | null }[]
}

const TONES: Record<DeliveryState, string> = { waiting: 'wait', delivered: 'good', failed: 'bad' }

export function Deliveries({ webhook }: { webhook: string }) {
  const text = useText()
  const [status, setStatus] = useState('')
  const path = `/api/v1/webhooks/${webhook}/deliveries`
  const list = useInfiniteQuery({
    queryKey: ['deliveries', webhook, status],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ limit: '20' })
      if (status) query.set('status', status)
      if (pageParam) query.set('cursor', pageParam)
      return api<Page<Delivery>>(`${path}?${query}`, { signal })
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 3000,
    staleTime: 0,
    placeholderData: (before) => before,
  })
  const items = list.data?.pages.flatMap((p) => p.items) ?? []
  return (
    <div className="deliveries" data-testid="deliveries">
      <label className="select small">
        <span className="sr-only">{text.filter}</span>
        <select value={status} onChange={(e) => setStatus(e.target.value)}>
          <option value="">{text.filterAll}</option>
          {(['waiting', 'delivered', 'failed'] as const).map((s) => (
            <option key={s} value={s}>
              {text.deliveryState[s]}
            </option>
          ))}
        </select>
      </label>
      {list.isSuccess && items.length === 0 && <p className="muted">{text.noDeliveries}</p>}
      <ul role="list">
        {items.map((d) => (
          <Line key={d.id} delivery={d} path={`${path}/${d.id}`} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button small disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {text.hitsMore}
        </Button>
      )}
    </div>
  )
}

function Line({ delivery, path }: { delivery: Delivery; path: string }) {
  const text = useText()
  const client = useQueryClient()
  const actions = useActions()
  const [open, setOpen] = useState(false)
  const full = useQuery({
    // Asked for again where another attempt was made.
    queryKey: ['delivery', delivery.id, delivery.attempts, delivery.status],
    queryFn: ({ signal }) => api<DeliveryInFull>(path, { signal }),
    enabled: open,
    placeholderData: (before) => before,
  })
  const replay = () =>
    actions.attempt(async () => {
      await api(`${path}/replay`, { method: 'POST' })
      await client.invalidateQueries({ queryKey: ['deliveries'] })
    })
  return (
    <li data-status={delivery.status} data-type={delivery.type}>
      <details onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary>
          <span className={`state ${TONES[delivery.status]}`}>{text.deliveryState[delivery.status]}</span>
          <code>{delivery.type}</code>
          {delivery.attempts > 1 && <span className="muted">{text.attemptsN(delivery.attempts)}</span>}
          <time className="muted" dateTime={delivery.created_at} title={fullTime(delivery.created_at, text.tag)}>
            {when(delivery.created_at, text.tag)}
          </time>
        </summary>
        {full.data && (
          <div className="delivery">
            <ol role="list">
              {full.data.log.map((a) => (
                <li key={a.number}>
                  <time dateTime={a.started_at} title={fullTime(a.started_at, text.tag)}>
                    {new Date(a.started_at).toLocaleTimeString(text.tag)}
                  </time>
                  <span className={`state ${a.status !== null && a.status < 300 ? 'good' : 'bad'}`}>{a.status ?? text.noAnswer}</span>
                  <span className="muted">{Math.round(a.duration_ms)} ms</span>
                  {a.error && <span>{text.sentence(a.error)}</span>}
                  {a.response_excerpt && <q dir="auto">{a.response_excerpt}</q>}
                </li>
              ))}
            </ol>
            <pre tabIndex={0} aria-label={text.deliveryBody}>
              {full.data.body}
            </pre>
            <Button small onClick={() => void replay()}>
              {text.sendAgain}
            </Button>
          </div>
        )}
      </details>
    </li>
  )
}
