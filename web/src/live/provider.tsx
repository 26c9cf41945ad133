// Hangs the event stream on the page: one for all views.
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from 'react'
import { SESSION_KEY } from '../api/session'
import { applyMessage } from './apply'
import { lookForNew, takeOne } from './library'
import { Refresher } from './refresher'
import { type Connection, type EventSourceLike, LiveStream } from './stream'

/** How long a hidden window keeps its connection: browsers allow six to one server. */
const HIDDEN_MS = 5_000
/** How long the server may take to say that it lives. */
const ANSWER_MS = 5_000

interface Live {
  connection: Connection
  refresher: Refresher
  /** Tries the line at once, where it is lost. */
  hurry: () => void
}

const Context = createContext<Live | null>(null)

export function useLive(): Live {
  const live = useContext(Context)
  if (!live) throw new Error('useLive outside of LiveProvider')
  return live
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const [connection, setConnection] = useState<Connection>('connecting')
  const current = useRef<LiveStream | null>(null)
  const refresher = useMemo(() => new Refresher(client), [client])

  useEffect(() => {
    refresher.lookForNew = () => lookForNew(client)
    refresher.takeOne = (media) => takeOne(client, media)
    const stream = new LiveStream(
      {
        open: (url) => new EventSource(url) as EventSourceLike,
        probe: () =>
          fetch('/health/live', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) }).then(
            (r) => r.ok,
            () => false,
          ),
        setTimer: (run, ms) => window.setTimeout(run, ms),
        clearTimer: (timer) => window.clearTimeout(timer),
      },
      {
        message: (message) => applyMessage(client, refresher, message),
        connection: (state) => {
          setConnection(state)
          // The line ends, too, where this browser's token was revoked.
          if (state === 'lost') void client.invalidateQueries({ queryKey: SESSION_KEY })
        },
        // Also after a replay: the server may be another one, of another version.
        returned: () => void client.invalidateQueries(),
      },
    )
    current.current = stream
    stream.start()
    let hidden = 0
    const onVisibility = () => {
      clearTimeout(hidden)
      if (document.hidden) hidden = window.setTimeout(() => stream.sleep(), HIDDEN_MS)
      else stream.wake()
    }
    onVisibility() // it may have been opened in the background
    const hurry = () => stream.hurry()
    document.addEventListener('visibilitychange', onVisibility)
    addEventListener('online', hurry)
    addEventListener('focus', hurry)
    return () => {
      clearTimeout(hidden)
      document.removeEventListener('visibilitychange', onVisibility)
      removeEventListener('online', hurry)
      removeEventListener('focus', hurry)
      stream.stop()
    }
  }, [client, refresher])

  const value = useMemo(() => ({ connection, refresher, hurry: () => current.current?.hurry() }), [connection, refresher])
  return <Context.Provider value={value}>{children}</Context.Provider>
}
