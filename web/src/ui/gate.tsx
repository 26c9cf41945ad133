// Where the server asks who one is: nothing is shown before that is known.
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { api, ApiError } from '../api/client'
import { useFeatures } from '../api/features'
import { onSignedOut, type Session, SESSION_KEY, takeSession } from '../api/session'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { Button, Loading } from './parts'

export async function signOut(client: QueryClient): Promise<void> {
  await api('/api/v1/session', { method: 'DELETE' })
  client.clear()
  location.reload()
}

export function Gate({ children }: { children: ReactNode }) {
  const features = useFeatures()
  return features.session ? <Asked>{children}</Asked> : children
}

function Asked({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const session = useQuery({
    queryKey: SESSION_KEY,
    queryFn: async ({ signal }) => {
      try {
        return takeSession(await api<Session>('/api/v1/session', { signal }))
      } catch (error) {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null
        throw error
      }
    },
  })
  useEffect(() => onSignedOut(() => void client.invalidateQueries({ queryKey: SESSION_KEY })), [client])
  if (session.data === null) return <SignIn />
  // A server that is away is said by the page itself.
  return session.isPending ? <Loading /> : children
}

function SignIn() {
  const text = useText()
  const client = useQueryClient()
  const { hurry } = useLive()
  const [token, setToken] = useState('')
  const [refused, setRefused] = useState('')
  return (
    <main className="sign-in" id="main">
      <form
        className="card"
        onSubmit={(e) => {
          e.preventDefault()
          api<Session>('/api/v1/session', { method: 'POST', body: { token: token.trim() } }).then(
            (session) => {
              // What somebody else was shown is forgotten.
              client.removeQueries({ predicate: (query) => query.queryKey[0] !== SESSION_KEY[0] })
              client.setQueryData(SESSION_KEY, takeSession(session))
              hurry()
            },
            (error: unknown) => setRefused(error instanceof Error ? error.message : String(error)),
          )
        }}
      >
        <h1>{text.signIn}</h1>
        <p className="muted">{text.signInText}</p>
        <input className="field" type="password" value={token} onChange={(e) => setToken(e.target.value)} autoComplete="current-password" autoFocus aria-label={text.token} placeholder={text.token} />
        {refused && <p role="alert">{refused}</p>}
        <Button kind="primary" type="submit" disabled={token.trim() === ''}>
          {text.signIn}
        </Button>
      </form>
    </main>
  )
}
