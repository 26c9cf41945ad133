// A list of the queue. Those near the window are in the document, and the one that has the focus,
// wherever it is moved to.
import { defaultRangeExtractor, type Range, useWindowVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { QueueEntry } from '../api/types'
import { withItem } from '../transcript/items'
import { useTop } from '../ui/use-top'
import { Entry } from './entry'

const ROW_PX = 59
/** What lies over the top of the page. */
const TOP_PX = 90
const rowHeight = () => ROW_PX

/** `more`: there are more than `entries`; `onEnd`: the last of them come near. */
export function Entries(props: { entries: QueueEntry[]; onCancel: (task: string) => void; waiting?: boolean; more?: boolean; onEnd?: () => void }) {
  const { entries, onCancel, waiting = false, more = false, onEnd } = props
  const list = useRef<HTMLOListElement>(null)
  const scrollMargin = useTop(list, entries)

  // A row that moves takes the focus with it: React takes it out of the document and puts it in again.
  const pressed = useRef<HTMLElement | null>(null)
  const [focused, setFocused] = useState<string | null>(null)
  useEffect(() => {
    const elsewhere = (e: PointerEvent) => {
      if (pressed.current?.contains(e.target as Node)) return
      pressed.current = null
      setFocused(null)
    }
    document.addEventListener('pointerdown', elsewhere)
    return () => document.removeEventListener('pointerdown', elsewhere)
  }, [])
  useLayoutEffect(() => {
    if (document.activeElement === document.body) pressed.current?.focus()
  }, [entries])

  const held = useMemo(() => (focused === null ? -1 : entries.findIndex((e) => e.task_id === focused)), [entries, focused])
  const virtual = useWindowVirtualizer({
    count: entries.length,
    estimateSize: rowHeight,
    overscan: 8,
    scrollMargin,
    scrollPaddingStart: TOP_PX,
    scrollPaddingEnd: ROW_PX,
    useFlushSync: false,
    getItemKey: useCallback((i: number) => entries[i]?.task_id ?? i, [entries]),
    rangeExtractor: useCallback((range: Range) => withItem(defaultRangeExtractor(range), held), [held]),
  })
  // Where it was seen before it moved, it is seen after.
  const before = useRef({ task: focused, index: held, seen: false })
  useLayoutEffect(() => {
    const seen = virtual.range !== null && held >= virtual.range.startIndex && held <= virtual.range.endIndex
    const { task, index, seen: wasSeen } = before.current
    if (held >= 0 && task === focused && index !== held && wasSeen && !seen) virtual.scrollToIndex(held, { align: 'auto' })
    before.current = { task: focused, index: held, seen: held >= 0 && (seen || (task === focused && index !== held && wasSeen)) }
  })
  const rows = virtual.getVirtualItems()
  const lastShown = virtual.range?.endIndex ?? -1
  useEffect(() => {
    if (more && lastShown >= entries.length - 20) onEnd?.()
  }, [more, lastShown, entries.length, onEnd])
  return (
    <ol
      className="entries card"
      role="list"
      ref={list}
      style={{ height: virtual.getTotalSize() }}
      onFocus={(e) => {
        pressed.current = e.target
        setFocused(e.target.closest<HTMLElement>('[data-task]')?.dataset.task ?? null)
      }}
      onBlur={(e) => {
        if (!e.relatedTarget) return
        pressed.current = null
        setFocused(null)
      }}
    >
      {rows.map((v) => {
        const entry = entries[v.index]
        return entry ? (
          <li
            key={v.key}
            ref={virtual.measureElement}
            data-index={v.index}
            data-task={entry.task_id}
            aria-setsize={more ? -1 : entries.length}
            aria-posinset={v.index + 1}
            style={{ transform: `translateY(${v.start - scrollMargin}px)` }}
          >
            <Entry entry={entry} waiting={waiting} onCancel={onCancel} />
          </li>
        ) : null
      })}
    </ol>
  )
}
