// Which rows of the transcript are in the document: those near the window, the one that is edited, and the
// one that has the focus.
import { defaultRangeExtractor, type Range, useWindowVirtualizer, type Virtualizer } from '@tanstack/react-virtual'
import { type FocusEvent, type RefObject, useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Segment } from '../api/types'
import { type Item, withItem } from './items'
import { estimateHeight } from './row-height'

/** The column of the times, and a gap's row. */
const TIME_PX = 76
const GAP_PX = 52

export type Rows = Virtualizer<Window, Element>

const keyOf = (item: Item) => (item.kind === 'segment' ? `s${item.segment.id ?? item.segment.start}` : `g${item.gap.start}`)

interface RowsOfWindow {
  list: RefObject<HTMLDivElement | null>
  virtual: Rows
  scrollMargin: number
  edited: boolean
  /** Of the list. */
  focus: { onFocus: (event: FocusEvent) => void; onBlur: (event: FocusEvent) => void }
}

/** `editing`: the id of the segment that is edited; `edited`: whether it is there; `covered`: how much of the window's top is, px. */
export function useRows(items: readonly Item[], segments: readonly Segment[], editing: number | null, covered: number): RowsOfWindow {
  const list = useRef<HTMLDivElement>(null)
  const [scrollMargin, setScrollMargin] = useState(0)
  const [width, setWidth] = useState(1000)
  useLayoutEffect(() => {
    const measure = () => {
      const box = list.current?.getBoundingClientRect()
      if (!box) return
      setScrollMargin(Math.round(box.top + scrollY))
      setWidth(Math.round(box.width) - TIME_PX)
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])
  const editedItem = useMemo(() => (editing === null ? -1 : items.findIndex((i) => i.kind === 'segment' && i.segment.id === editing)), [items, editing])
  const [focused, setFocused] = useState<string | null>(null)
  const itemsNow = useRef(items)
  itemsNow.current = items
  const focus = useMemo(
    () => ({
      onFocus(event: FocusEvent) {
        const item = itemsNow.current[Number(event.target.closest<HTMLElement>('[data-index]')?.dataset.index)]
        setFocused(item ? keyOf(item) : null)
      },
      onBlur: (event: FocusEvent) => event.relatedTarget && setFocused(null),
    }),
    [],
  )
  const focusedItem = useMemo(() => (focused === null ? -1 : items.findIndex((i) => keyOf(i) === focused)), [items, focused])
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: useCallback(
      (i: number) => {
        const item = items[i]
        if (item?.kind !== 'segment') return GAP_PX
        const { segment, index } = item
        return estimateHeight(segment.text, segment.speaker !== null && segment.speaker !== segments[index - 1]?.speaker, width)
      },
      [items, segments, width],
    ),
    overscan: 12,
    scrollMargin,
    scrollPaddingStart: covered + 8,
    // Rendered in the frame that comes anyway, not once more in each scroll event.
    useFlushSync: false,
    getItemKey: useCallback(
      (i: number) => {
        const item = items[i]
        return item ? keyOf(item) : i
      },
      [items],
    ),
    // Out of the document, the field would lose the focus, and what is typed would be taken for shortcuts.
    rangeExtractor: useCallback((range: Range) => withItem(withItem(defaultRangeExtractor(range), editedItem), focusedItem), [editedItem, focusedItem]),
  })
  return { list, virtual, scrollMargin, edited: editedItem >= 0, focus }
}
