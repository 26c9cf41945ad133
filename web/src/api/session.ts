// Who this browser is to the server, where the server asks: a cookie that scripts cannot read, and a
// word of its own for each change (X-CSRF-Token).
export interface Session {
  kind: string
  name: string | null
  scopes: string[]
  csrf_token: string | null
}

export const SESSION_KEY = ['session'] as const

let csrf: string | null = null
const listeners = new Set<() => void>()

export const csrfHeader = (): Record<string, string> => (csrf ? { 'X-CSRF-Token': csrf } : {})

/** Called where an answer says that this browser is nobody (401). */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export const tellSignedOut = (): void => {
  for (const listener of listeners) listener()
}

export function takeSession(session: Session): Session {
  csrf = session.csrf_token
  return session
}
