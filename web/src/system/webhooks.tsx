// Addresses that the server tells what happens.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, isForbidden } from '../api/client'
import { useActions } from '../media/actions'
import { useText } from '../text'
import { useNotices } from '../ui/notices'
import { Button, Confirm, Menu } from '../ui/parts'
import { Deliveries } from './deliveries'
import { Secret } from './secret'

interface Webhook {
  id: string
  url: string
  description: string
  status: 'active' | 'paused' | 'disabled'
  status_reason: string | null
  waiting: number
  failures: number
}

const KEY = ['webhooks']
const ENDED = { types: ['task.state'], states: ['completed', 'partial_failure', 'failed', 'cancelled'] }

export function Webhooks() {
  const text = useText()
  const client = useQueryClient()
  const actions = useActions()
  const { show } = useNotices()
  const webhooks = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api<{ items: Webhook[] }>('/api/v1/webhooks', { signal }), refetchInterval: 10_000, staleTime: 0, retry: false })
  const [url, setUrl] = useState('')
  const [secret, setSecret] = useState<{ of: string; value: string } | null>(null)
  const [what, setWhat] = useState<'ended' | 'all'>('ended')
  const [opened, setOpened] = useState('')
  const [removing, setRemoving] = useState<Webhook | null>(null)
  if (isForbidden(webhooks.error)) return null // not allowed to see them
  const ask = (path: string, method: 'POST' | 'DELETE') =>
    actions.attempt(async () => {
      await api(path, { method })
      await client.invalidateQueries({ queryKey: KEY })
    })
  return (
    <section className="card manage" aria-labelledby="webhooks">
      <h2 id="webhooks">{text.webhooks}</h2>
      {webhooks.data?.items.length === 0 && <p className="muted">{text.noWebhooks}</p>}
      <ul role="list">
        {webhooks.data?.items.map((w) => (
          <li key={w.id} data-status={w.status}>
            <span className={`lamp ${w.status === 'active' ? (w.failures > 0 ? 'bad' : 'good') : 'off'}`} />
            <div className="manage-main">
              <strong dir="ltr">{w.url}</strong>
              <span className="muted" dir="auto">
                {text.webhookStatus[w.status] ?? w.status}
                {w.failures > 0 ? ` · ${text.webhookFailures(w.failures)}` : ''}
                {w.waiting > 0 ? ` · ${text.waitingN(w.waiting)}` : ''}
                {w.status_reason ? ` · ${text.sentence(w.status_reason)}` : ''}
              </span>
            </div>
            <button type="button" className="link" aria-expanded={opened === w.id} onClick={() => setOpened(opened === w.id ? '' : w.id)}>
              {text.deliveries}
            </button>
            <Menu
              label={`${text.more}: ${w.url}`}
              items={[
                { label: text.ping, onPick: () => void ask(`/api/v1/webhooks/${w.id}/ping`, 'POST').then((sent) => sent && show({ text: text.pinged })) },
                w.status === 'active'
                  ? { label: text.pause, onPick: () => void ask(`/api/v1/webhooks/${w.id}/pause`, 'POST') }
                  : { label: text.resume, onPick: () => void ask(`/api/v1/webhooks/${w.id}/resume`, 'POST') },
                {
                  label: text.newSecret,
                  onPick: () =>
                    void actions.attempt(async () => {
                      setSecret({ of: w.url, value: (await api<{ secret: string }>(`/api/v1/webhooks/${w.id}/rotate_secret`, { method: 'POST' })).secret })
                    }),
                },
                null,
                { label: text.remove, danger: true, onPick: () => setRemoving(w) },
              ]}
            />
            {opened === w.id && <Deliveries webhook={w.id} />}
          </li>
        ))}
      </ul>
      {secret && <Secret of={secret.of} value={secret.value} onClose={() => setSecret(null)} />}
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void actions.attempt(async () => {
            const made = await api<Webhook & { secret: string }>('/api/v1/webhooks', { method: 'POST', body: { url: url.trim(), ...(what === 'ended' ? ENDED : {}) } })
            setSecret({ of: made.url, value: made.secret })
            setUrl('')
            await client.invalidateQueries({ queryKey: KEY })
          })
        }}
      >
        <input className="field" type="url" value={url} onChange={(e) => setUrl(e.target.value)} placeholder="https://" aria-label={text.webhookUrl} dir="ltr" />
        <label className="select">
          <span className="sr-only">{text.webhookWhat}</span>
          <select value={what} onChange={(e) => setWhat(e.target.value === 'all' ? 'all' : 'ended')}>
            <option value="ended">{text.webhookEnded}</option>
            <option value="all">{text.webhookAll}</option>
          </select>
        </label>
        <Button type="submit" disabled={url.trim() === ''}>
          {text.add}
        </Button>
      </form>
      {removing && (
        <Confirm danger title={text.removeWebhook(removing.url)} hint={text.removeWebhookHint} yes={text.remove} no={text.close} onYes={() => void ask(`/api/v1/webhooks/${removing.id}`, 'DELETE')} onClose={() => setRemoving(null)} />
      )}
    </section>
  )
}
