// Short notices at the foot of the page, also read out; and what is read out alone.
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import { useText } from '../text'
import { CloseIcon } from './icons'
import { IconButton } from './parts'

export interface Notice {
  text: string
  tone?: 'plain' | 'bad'
  action?: { label: string; run: () => void }
}

interface Notices {
  show(notice: Notice): void
  /** For a screen reader alone. */
  say(text: string): void
  /** A dialog is open, outside of which nothing is seen or read: they are told in it. What it returns takes that back. */
  within(dialog: Element): () => void
}

const Context = createContext<Notices>({ show: () => {}, say: () => {}, within: () => () => {} })
export const useNotices = (): Notices => useContext(Context)

export function NoticesProvider({ children }: { children: ReactNode }) {
  const text = useText()
  const [shown, setShown] = useState<(Notice & { id: number })[]>([])
  const [said, setSaid] = useState('')
  const [dialogs, setDialogs] = useState<readonly Element[]>([])
  const next = useRef(0)
  const show = useCallback((notice: Notice) => {
    const id = ++next.current
    setShown((all) => [...all.slice(-2), { ...notice, id }])
    setTimeout(() => setShown((all) => all.filter((n) => n.id !== id)), notice.tone === 'bad' ? 9000 : 5000)
  }, [])
  const within = useCallback((dialog: Element) => {
    setDialogs((all) => [...all, dialog])
    return () => setDialogs((all) => all.filter((d) => d !== dialog))
  }, [])
  const value = useMemo(() => ({ show, say: setSaid, within }), [show, within])
  const innermost = dialogs[dialogs.length - 1]
  const list = (
    <div className="notices" aria-live="polite" role="status">
      {shown.map((n) => (
        <div key={n.id} className={`notice ${n.tone ?? 'plain'}`}>
          <span dir="auto">{n.text}</span>
          {n.action && (
            <button
              type="button"
              className="link"
              onClick={() => {
                n.action?.run()
                setShown((all) => all.filter((o) => o.id !== n.id))
              }}
            >
              {n.action.label}
            </button>
          )}
          <IconButton label={text.close} onClick={() => setShown((all) => all.filter((o) => o.id !== n.id))}>
            <CloseIcon />
          </IconButton>
        </div>
      ))}
    </div>
  )
  return (
    <Context.Provider value={value}>
      {children}
      <div className="sr-only" aria-live="polite" data-testid="said">
        {said}
      </div>
      {innermost ? createPortal(list, innermost) : list}
    </Context.Provider>
  )
}
