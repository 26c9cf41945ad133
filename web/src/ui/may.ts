// What this browser may do, by the scopes of its session. The server decides; what it would refuse is
// not offered.
import { useQueryClient } from '@tanstack/react-query'
import { SESSION_KEY, type Session } from '../api/session'

export interface May {
  /** Send, start, cancel, retry, correct, delete. */
  change: boolean
  /** Tokens, webhooks, the queue. */
  manage: boolean
}

export function mayOf(session: Pick<Session, 'scopes'> | null | undefined): May {
  if (!session) return { change: true, manage: true } // not known: the server will say
  const manage = session.scopes.includes('admin')
  return { change: manage || session.scopes.includes('write'), manage }
}

/** Known before any view is shown (gate.tsx), and the same until the page is loaded again. */
export const useMay = (): May => mayOf(useQueryClient().getQueryData<Session>(SESSION_KEY))
