import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Segment } from '../api/types'
import { useText } from '../text'
import { giveBack, isFocusLost, trailOf } from '../ui/focus'
import { CloseIcon, DownIcon, UpIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { Button, IconButton } from '../ui/parts'
import { findAll, findIn, type Match, replaceIn, type Wanted } from './find'
import type { Edits } from './use-edits'

export interface FindState extends Wanted {
  current: Match | null
}
export const NOTHING_WANTED: FindState = { query: '', matchCase: false, wholeWords: false, current: null }

/** Between the player, the bar and the rows. */
const BESIDE_PX = 12

export function FindBar(props: {
  segments: Segment[]
  canEdit: boolean
  edits: Edits
  /** The button that opens it. */
  finder: RefObject<HTMLElement | null>
  onFind: (state: FindState) => void
  onShow: (match: Match) => void
  onClose: () => void
  /** How much of the window it takes below the player, px; 0 once it is gone. */
  onHeight: (px: number) => void
}) {
  const { segments, edits, finder, onFind, onShow, onHeight } = props
  const text = useText()
  const { show } = useNotices()
  const [query, setQuery] = useState('')
  const [by, setBy] = useState('')
  const [matchCase, setMatchCase] = useState(false)
  const [wholeWords, setWholeWords] = useState(false)
  const [at, setAt] = useState(0)
  const [shown, setShown] = useState(false)
  const [busy, setBusy] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const wanted = useMemo<Wanted>(() => ({ query, matchCase, wholeWords }), [query, matchCase, wholeWords])
  const matches = useMemo(() => findAll(segments, wanted), [segments, wanted])
  const place = matches.length === 0 ? 0 : Math.min(at, matches.length - 1)
  const current = matches[place] ?? null
  const bar = useRef<HTMLDivElement>(null)
  /** The segment that was shown last. */
  const found = useRef<number | null>(null)
  useLayoutEffect(() => {
    const element = bar.current
    const before = trailOf(isFocusLost() ? finder.current : document.activeElement)
    field.current?.focus()
    // What was found is gone on with; else what had the focus before.
    return () => {
      if (!element?.contains(document.activeElement)) return
      const row = document.querySelector(`[data-segment="${found.current}"] .segment-time`)
      giveBack(row ? trailOf(row) : before)
    }
  }, [finder])
  useEffect(() => onFind({ ...wanted, current }), [wanted, current, onFind])
  useEffect(() => () => onFind(NOTHING_WANTED), [onFind])

  useLayoutEffect(() => {
    const element = bar.current
    if (!element) return
    const observer = new ResizeObserver(() => onHeight(element.offsetHeight + BESIDE_PX))
    observer.observe(element)
    return () => {
      observer.disconnect()
      onHeight(0)
    }
  }, [onHeight])

  const go = (to: number) => {
    if (matches.length === 0) return
    const next = (to + matches.length) % matches.length
    setAt(next)
    setShown(true)
    const match = matches[next]
    if (!match) return
    found.current = match.segment
    onShow(match)
  }
  const replaceOne = async () => {
    const segment = current ? segments[current.segment] : undefined
    if (!current || !segment || busy) return
    setBusy(true)
    await edits.replaceAll([{ segment, text: replaceIn(segment.text, [current], by) }])
    setBusy(false)
    onShow(current)
  }
  const replaceAll = async () => {
    if (busy) return
    setBusy(true)
    const changes = [...new Set(matches.map((m) => m.segment))].flatMap((i) => {
      const segment = segments[i]
      if (!segment) return []
      const replaced = replaceIn(segment.text, findIn(segment.text, wanted), by)
      return replaced.trim() === '' ? [] : [{ segment, text: replaced }]
    })
    const made = await edits.replaceAll(changes)
    const count = made.reduce((n, c) => n + findIn(c.segment.text, wanted).length, 0)
    setBusy(false)
    show({ text: text.replaced(count) })
  }
  return (
    <div
      ref={bar}
      className="find card"
      role="search"
      onKeyDown={(e) => {
        if (e.key === 'Escape') {
          e.preventDefault()
          props.onClose()
        }
      }}
    >
      <div className="find-line">
        <input
          ref={field}
          className="field"
          type="text"
          value={query}
          dir="auto"
          placeholder={text.find}
          aria-label={text.find}
          onChange={(e) => {
            setQuery(e.target.value)
            setAt(0)
            setShown(false)
            found.current = null
          }}
          onKeyDown={(e) => {
            if (e.key === 'Enter') {
              e.preventDefault()
              // The first Enter shows the first place.
              go(e.shiftKey ? place - 1 : shown ? place + 1 : place)
            }
          }}
        />
        <span className="muted find-count" role="status" data-testid="find-count">
          {query ? text.matches(place + 1, matches.length) : ''}
        </span>
        <IconButton label={text.previous} disabled={matches.length === 0} onClick={() => go(place - 1)}>
          <UpIcon />
        </IconButton>
        <IconButton label={text.next} disabled={matches.length === 0} onClick={() => go(place + 1)}>
          <DownIcon />
        </IconButton>
        <label className="find-case">
          <input type="checkbox" checked={matchCase} onChange={(e) => setMatchCase(e.target.checked)} />
          {text.matchCase}
        </label>
        <label className="find-case">
          <input type="checkbox" checked={wholeWords} onChange={(e) => setWholeWords(e.target.checked)} />
          {text.wholeWords}
        </label>
        <IconButton label={text.close} onClick={props.onClose}>
          <CloseIcon />
        </IconButton>
      </div>
      {props.canEdit && (
        <div className="find-line">
          <input className="field" type="text" value={by} dir="auto" placeholder={text.replaceWith} aria-label={text.replaceWith} onChange={(e) => setBy(e.target.value)} onKeyDown={(e) => e.key === 'Enter' && void replaceOne()} />
          <Button small disabled={!current || busy} onClick={() => void replaceOne()}>
            {text.replaceOne}
          </Button>
          <Button small disabled={matches.length === 0 || busy} onClick={() => void replaceAll()}>
            {text.replaceAll}
          </Button>
        </div>
      )}
    </div>
  )
}
