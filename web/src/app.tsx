// The frame around the views: where to go, how the line to the server is, what is the same everywhere.
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { type Session, SESSION_KEY } from './api/session'
import { useLive } from './live/provider'
import { LibraryView } from './library/view'
import { useActions } from './media/actions'
import { MediaView } from './media/view'
import { QueueView } from './queue/view'
import { SystemView } from './system/view'
import { useCounts } from './queue/use-queue'
import { useText, useTongue } from './text'
import { DropZone, useChooseFiles } from './uploads/drop'
import { uploads } from './uploads/store'
import { Boundary } from './ui/boundary'
import { keepFocus } from './ui/focus'
import { applyTheme, savedTheme, type Theme, useHash, useKeys } from './ui/hooks'
import { GaugeIcon, KeyboardIcon, ListIcon, PlusIcon, QueueIcon } from './ui/icons'
import { signOut } from './ui/gate'
import { Help } from './ui/help'
import { useMay } from './ui/may'
import { useNotices } from './ui/notices'
import { Menu } from './ui/parts'
import { left, parseRoute, type Route } from './ui/route'

export function App() {
  return (
    <DropZone>
      <Frame />
    </DropZone>
  )
}

let restored = false

function Frame() {
  const text = useText()
  const route = parseRoute(useHash())
  const [help, setHelp] = useState(false)
  const choose = useChooseFiles()
  const may = useMay()
  const main = useRef<HTMLElement>(null)

  useEffect(() => {
    if (restored) return
    restored = true
    void uploads.restore()
  }, [])
  useEffect(keepFocus, [])
  const { connection } = useLive()
  useEffect(() => {
    if (connection === 'live') uploads.serverIsBack()
  }, [connection])
  useEffect(() => {
    if (route.view !== 'library') return
    left.hash = location.hash || '#/'
    const note = () => (left.scroll = scrollY)
    addEventListener('scroll', note, { passive: true })
    return () => removeEventListener('scroll', note)
  })
  // Another view begins at its top, the library where it was left, and a screen reader goes there.
  const place = route.view === 'media' ? route.id : route.view
  const before = useRef(place)
  useEffect(() => {
    if (before.current === place) return
    before.current = place
    scrollTo(0, place === 'library' ? left.scroll : 0)
    main.current?.focus({ preventScroll: true })
  }, [place])
  useKeys({
    '?': () => setHelp(true),
    a: () => (may.change ? choose() : false),
    g: () => {
      location.hash = '#/'
    },
    q: () => {
      location.hash = '#/queue'
    },
    s: () => {
      location.hash = '#/system'
    },
    '/': () => {
      if (route.view === 'library') return false
      location.hash = '#/'
    },
  })
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault()
          main.current?.focus()
        }}
      >
        {text.skip}
      </a>
      <TopBar route={route} onHelp={() => setHelp(true)} />
      <Line />
      <main id="main" ref={main} tabIndex={-1}>
        <Boundary key={place}>
          {route.view === 'library' && <LibraryView route={route} />}
          {route.view === 'media' && <MediaView id={route.id} at={route.at} />}
          {route.view === 'queue' && <QueueView />}
          {route.view === 'system' && <SystemView />}
        </Boundary>
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  )
}

function TopBar({ route, onHelp }: { route: Route; onHelp: () => void }) {
  const text = useText()
  const { tongue, choose: chooseTongue } = useTongue()
  const choose = useChooseFiles()
  const { connection } = useLive()
  const counts = useCounts()
  const may = useMay()
  const actions = useActions()
  const busy = counts ? counts.processing + counts.pending + counts.retrying : 0
  const client = useQueryClient()
  const session = client.getQueryData<Session>(SESSION_KEY)
  const [theme, setTheme] = useState<Theme>(savedTheme)
  const pickTheme = (next: Theme) => {
    applyTheme(next)
    setTheme(next)
  }
  const links = [
    { view: 'library', href: '#/', name: text.library, icon: <ListIcon /> },
    { view: 'queue', href: '#/queue', name: text.queue, icon: <QueueIcon />, count: busy },
    { view: 'system', href: '#/system', name: text.system, icon: <GaugeIcon /> },
  ]
  return (
    <header className="top">
      <a className="brand" href="#/" aria-label={`${text.appName}: ${text.library}`}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="9" className="brand-back" />
          <path d="M8 13.5v5M13.3 9v14M18.6 12v8M24 10.5v11" className="brand-lines" />
        </svg>
        <span>{text.appName}</span>
      </a>
      <nav className="nav" aria-label={text.navigation}>
        {links.map((l) => (
          <a key={l.view} href={l.href} aria-current={route.view === l.view ? 'page' : undefined}>
            {l.icon}
            <span>{l.name}</span>
            {l.count ? <span className="badge">{l.count > 999 ? '999+' : l.count}</span> : null}
          </a>
        ))}
      </nav>
      <span className="grow" />
      <span className={`line-dot ${connection}`} title={connection === 'live' ? text.live : text.connecting} data-testid="connection" data-state={connection} />
      {may.change && (
        <button type="button" className="button primary add" onClick={choose} title={text.addFiles}>
          <PlusIcon />
          <span>{text.addFiles}</span>
        </button>
      )}
      <Menu
        label={text.more}
        items={[
          { label: `${text.theme}: ${text.themeAuto}`, checked: theme === 'auto', onPick: () => pickTheme('auto') },
          { label: `${text.theme}: ${text.themeLight}`, checked: theme === 'light', onPick: () => pickTheme('light') },
          { label: `${text.theme}: ${text.themeDark}`, checked: theme === 'dark', onPick: () => pickTheme('dark') },
          null,
          { label: 'English', checked: tongue === 'en', onPick: () => chooseTongue('en') },
          { label: '中文', checked: tongue === 'zh', onPick: () => chooseTongue('zh') },
          null,
          { label: text.shortcuts, icon: <KeyboardIcon />, onPick: onHelp },
          ...(session?.kind === 'session' ? [null, { label: text.signOut, onPick: () => void actions.attempt(() => signOut(client)) }] : []),
        ]}
      />
    </header>
  )
}

/** How the line to the server is, while it is not as it should be; and once when it is back. */
function Line() {
  const text = useText()
  const { connection } = useLive()
  const { show } = useNotices()
  const [lost, setLost] = useState(false)
  const wasLost = useRef(false)
  useEffect(() => {
    if (connection === 'live') {
      if (wasLost.current) show({ text: text.back })
      wasLost.current = false
      setLost(false)
      return
    }
    if (connection !== 'lost') return
    // What is mended at once is not worth a word.
    const timer = setTimeout(() => {
      wasLost.current = true
      setLost(true)
    }, 1200)
    return () => clearTimeout(timer)
  }, [connection, show, text])
  return (
    <div className="line" role="status" aria-live="polite">
      {lost && (
        <div className="line-lost" data-testid="lost">
          <strong>{text.lost}</strong> <span>{text.lostHint}</span>
        </div>
      )}
    </div>
  )
}
