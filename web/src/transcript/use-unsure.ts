// From one word that the recogniser was unsure of to the next, by the keyboard: it gets the focus and is
// read out, and Enter corrects it.
import type { RefObject } from 'react'
import type { Segment } from '../api/types'
import { useText } from '../text'
import { clock } from '../text/format'
import { useNotices } from '../ui/notices'
import { nextUnsure, piecesOf } from './find-time'

/** What `find` gives once it gives something, within the next frames. */
async function whenThere<T>(find: () => T | null | undefined): Promise<T | null> {
  for (let frames = 0; frames < 30; ++frames) {
    const found = find()
    if (found) return found
    await new Promise(requestAnimationFrame)
  }
  return null
}

const wordOf = (element: Element | null) => (element instanceof HTMLElement && element.dataset.word !== undefined ? Number(element.dataset.word) : null)
const segmentOf = (element: Element | null) => Number(element?.closest<HTMLElement>('[data-segment]')?.dataset.segment)

/** `from`: the segment to begin at where no word has the focus; `edit`: null where nothing may be changed. */
export function useUnsure(of: { segments: readonly Segment[]; list: RefObject<HTMLDivElement | null>; from: () => number; showRow: (index: number) => void; edit: ((index: number, caret: number) => void) | null }) {
  const text = useText()
  const { say } = useNotices()
  return {
    step(by: 1 | -1): void {
      const here = document.activeElement
      const word = wordOf(here)
      const next = nextUnsure(of.segments, word === null ? { segment: of.from(), word: by > 0 ? -1 : Infinity } : { segment: segmentOf(here), word }, by)
      const segment = next && of.segments[next.segment]
      if (!segment) return say(text.noneUnsure)
      of.showRow(next.segment)
      void whenThere(() => of.list.current?.querySelector<HTMLElement>(`[data-segment="${next.segment}"] [data-word="${next.word}"]`)).then((element) => {
        element?.focus({ preventScroll: true })
        element?.scrollIntoView({ block: 'nearest' })
        say(`${clock(segment.words[next.word]?.start ?? segment.start)} ${element?.textContent ?? ''}: ${text.unsure}`)
      })
    },
    /** Whether the element is such a word, which is then edited. */
    edit(element: Element): boolean {
      const word = wordOf(element)
      const index = segmentOf(element)
      const segment = of.segments[index]
      if (word === null || !segment || !of.edit) return false
      const pieces = piecesOf(segment)
      const at = pieces.findIndex((p) => p.word === word)
      of.edit(index, pieces.slice(0, at).reduce((n, p) => n + p.text.length, 0))
      return true
    },
  }
}
