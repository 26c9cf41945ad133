// Tokens with which programs and other machines come in.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, isForbidden } from '../api/client'
import { useActions } from '../media/actions'
import { useText } from '../text'
import { when } from '../text/format'
import { TrashIcon } from '../ui/icons'
import { Button, Confirm, IconButton } from '../ui/parts'
import { Secret } from './secret'

interface Token {
  id: string
  name: string
  scopes: string[]
  expires_at: string | null
  last_used_at: string | null
}

const KEY = ['tokens']
const LIFETIMES_DAYS = [30, 90, 365] as const

export function Tokens() {
  const text = useText()
  const client = useQueryClient()
  const actions = useActions()
  const tokens = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api<{ items: Token[] }>('/api/v1/tokens', { signal }), refetchInterval: 10_000, staleTime: 0, retry: false })
  const [name, setName] = useState('')
  const [scope, setScope] = useState('write')
  const [lifetime, setLifetime] = useState('')
  const [secret, setSecret] = useState<{ of: string; value: string } | null>(null)
  const [revoking, setRevoking] = useState<Token | null>(null)
  if (isForbidden(tokens.error)) return null // not an administrator
  const scopes = scope === 'read' ? ['read'] : scope === 'write' ? ['read', 'write'] : ['read', 'write', 'admin']
  const refresh = () => client.invalidateQueries({ queryKey: KEY })
  return (
    <section className="card manage" aria-labelledby="tokens">
      <h2 id="tokens">{text.tokens}</h2>
      {tokens.data?.items.length === 0 && <p className="muted">{text.noTokens}</p>}
      <ul role="list">
        {tokens.data?.items.map((t) => (
          <li key={t.id}>
            <div className="manage-main">
              <strong dir="auto">{t.name}</strong>
              <span className="muted">
                {t.scopes.map((s) => text.scopes[s] ?? s).pop()} · {text.lastUsed(t.last_used_at ? when(t.last_used_at, text.tag) : null)} · {text.expires(t.expires_at ? when(t.expires_at, text.tag) : null)}
              </span>
            </div>
            <IconButton label={`${text.revoke}: ${t.name}`} onClick={() => setRevoking(t)}>
              <TrashIcon />
            </IconButton>
          </li>
        ))}
      </ul>
      {secret && <Secret of={secret.of} value={secret.value} onClose={() => setSecret(null)} />}
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void actions.attempt(async () => {
            const made = await api<Token & { token: string }>('/api/v1/tokens', { method: 'POST', body: { name: name.trim(), scopes, ...(lifetime ? { expires_in: lifetime } : {}) } })
            setSecret({ of: made.name, value: made.token })
            setName('')
            await refresh()
          })
        }}
      >
        <input className="field" value={name} onChange={(e) => setName(e.target.value.replace(/\s/g, '-'))} placeholder={text.tokenName} aria-label={text.tokenName} dir="auto" maxLength={100} />
        <label className="select">
          <span className="sr-only">{text.tokenScope}</span>
          <select value={scope} onChange={(e) => setScope(e.target.value)}>
            {['read', 'write', 'admin'].map((s) => (
              <option key={s} value={s}>
                {text.scopes[s]}
              </option>
            ))}
          </select>
        </label>
        <label className="select">
          <span className="sr-only">{text.tokenLifetime}</span>
          <select value={lifetime} onChange={(e) => setLifetime(e.target.value)}>
            <option value="">{text.expires(null)}</option>
            {LIFETIMES_DAYS.map((days) => (
              <option key={days} value={`${days}d`}>
                {text.forDays(days)}
              </option>
            ))}
          </select>
        </label>
        <Button type="submit" disabled={name.trim() === ''}>
          {text.create}
        </Button>
      </form>
      {revoking && (
        <Confirm
          danger
          title={text.revokeAsk(revoking.name)}
          hint={text.revokeHint}
          yes={text.revoke}
          no={text.close}
          onYes={() =>
            void actions.attempt(async () => {
              await api(`/api/v1/tokens/${revoking.id}`, { method: 'DELETE' })
              await refresh()
            })
          }
          onClose={() => setRevoking(null)}
        />
      )}
    </section>
  )
}
