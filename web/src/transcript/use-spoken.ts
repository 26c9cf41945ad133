// Lights the word that is spoken and keeps it in the window: classes on what is in the document, nothing
// is rendered.
import { type RefObject, useEffect, useRef } from 'react'
import type { Segment } from '../api/types'
import type { Player } from '../media/player'
import { segmentAt, wordAt } from './find-time'
import type { Item } from './items'
import type { Rows } from './use-rows'

/** How long readers are left where they scrolled to while it plays. */
const LEFT_ALONE_MS = 10_000

/** When the reader scrolled last, by hand or key (performance.now()). */
function useScrolledAt(): RefObject<number> {
  const at = useRef(-Infinity)
  useEffect(() => {
    const scrolled = () => {
      at.current = performance.now()
    }
    const pressed = (event: KeyboardEvent) => {
      if (/^(Page(Up|Down)|Home|End)$/.test(event.key)) scrolled()
    }
    // The scroll bar is the document's.
    const grabbed = (event: PointerEvent) => {
      if (event.target === document.documentElement) scrolled()
    }
    addEventListener('wheel', scrolled, { passive: true })
    addEventListener('touchmove', scrolled, { passive: true })
    addEventListener('keydown', pressed)
    addEventListener('pointerdown', grabbed)
    return () => {
      removeEventListener('wheel', scrolled)
      removeEventListener('touchmove', scrolled)
      removeEventListener('keydown', pressed)
      removeEventListener('pointerdown', grabbed)
    }
  }, [])
  return at
}

/** `held`: the window stays where it is, whatever is spoken: something is edited. `covered`: how much of its top is, px. */
export function useSpoken(of: { player: Player; segments: readonly Segment[]; items: readonly Item[]; list: RefObject<HTMLDivElement | null>; virtual: Rows; held: boolean; covered: number }): void {
  const { player, segments, items, list, virtual } = of
  const held = useRef(of.held)
  held.current = of.held
  const coveredNow = useRef(of.covered)
  coveredNow.current = of.covered
  const scrolledAt = useScrolledAt()
  const current = useRef(-1)
  useEffect(() => {
    let litSegment: HTMLElement | null = null
    let litWord: HTMLElement | null = null
    const light = (at: number, seconds: number) => {
      if (litSegment?.dataset.segment !== String(at) || !litSegment.isConnected) {
        litSegment?.classList.remove('now')
        litSegment = at < 0 ? null : (list.current?.querySelector<HTMLElement>(`[data-segment="${at}"]`) ?? null)
        litSegment?.classList.add('now')
      }
      const segment = segments[at]
      const word = segment && litSegment ? wordAt(segment, seconds) : -1
      if (litWord?.isConnected && litWord.dataset.word === String(word) && litSegment?.contains(litWord)) return
      litWord?.classList.remove('lit')
      litWord = word < 0 ? null : (litSegment?.querySelector<HTMLElement>(`[data-word="${word}"]`) ?? null)
      litWord?.classList.add('lit')
    }
    // To where the reader has jumped, always; to what is spoken, unless he has gone elsewhere.
    const mayFollow = (jumped: boolean) => !held.current && (jumped || (player.read().playing && performance.now() - scrolledAt.current > LEFT_ALONE_MS))
    const follow = (at: number) => {
      const box = list.current?.querySelector(`[data-segment="${at}"]`)?.getBoundingClientRect()
      const covered = coveredNow.current
      if (box && box.top >= covered + 4 && box.bottom <= innerHeight - 80) return
      virtual.scrollToIndex(
        items.findIndex((i) => i.kind === 'segment' && i.index === at),
        { align: covered + 120 < innerHeight / 2 ? 'center' : 'start' },
      )
    }
    return player.onTime((seconds, jumped) => {
      const at = segmentAt(segments, seconds)
      light(at, seconds)
      if (at === current.current && !jumped) return
      current.current = at
      if (at >= 0 && mayFollow(jumped)) follow(at)
    })
  }, [player, segments, items, list, virtual, scrolledAt])
}
