// Marks the places that were found, with the browser's own highlights: nothing in the document changes.
// A browser that has none shows the place by the segment alone.
import type { Segment } from '../api/types'
import type { FindState } from './find-bar'
import { findIn } from './find'

function rangeIn(element: Element, start: number, end: number): Range | null {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
  const range = new Range()
  let at = 0
  let begun = false
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = node.nodeValue?.length ?? 0
    if (!begun && start < at + length) {
      range.setStart(node, start - at)
      begun = true
    }
    if (begun && end <= at + length) {
      range.setEnd(node, end - at)
      return range
    }
    at += length
  }
  return null
}

/** Whether the browser holds highlights of ours. */
let shown = false

export function clearHighlights(): void {
  if (!shown) return
  shown = false
  CSS.highlights.delete('found')
  CSS.highlights.delete('found-now')
}

export function highlight(list: Element, segments: readonly Segment[], find: FindState): void {
  if (!('highlights' in CSS)) return
  if (find.query === '') return clearHighlights()
  const all = new Highlight()
  const current = new Highlight()
  for (const row of list.querySelectorAll<HTMLElement>('[data-segment]')) {
    const index = Number(row.dataset.segment)
    const segment = segments[index]
    const element = row.querySelector('p.segment-text')
    if (!segment || !element) continue
    for (const match of findIn(segment.text, find)) {
      const range = rangeIn(element, match.start, match.end)
      if (!range) continue
      const isCurrent = find.current?.segment === index && find.current.start === match.start
      ;(isCurrent ? current : all).add(range)
    }
  }
  CSS.highlights.set('found', all)
  CSS.highlights.set('found-now', current)
  shown = true
}
