// The words of a recording: only those near the window are in the document, so that ten thousand
// scroll like ten.
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Gap, Media, Segment, Segments, TaskState } from '../api/types'
import { isActive } from '../api/types'
import type { Player } from '../media/player'
import { useText } from '../text'
import { clock } from '../text/format'
import { useKeys } from '../ui/hooks'
import { piecesOf, segmentAt, UNSURE_BELOW, wordAt } from './find-time'

type Item = { kind: 'segment'; segment: Segment; index: number } | { kind: 'gap'; gap: Gap }

export function itemsOf(data: Segments): Item[] {
  const items: Item[] = data.segments.map((segment, index) => ({ kind: 'segment', segment, index }))
  for (const gap of data.gaps) items.push({ kind: 'gap', gap })
  const start = (i: Item) => (i.kind === 'segment' ? i.segment.start : i.gap.start)
  return items.sort((a, b) => start(a) - start(b))
}

export function Transcript(props: { media: Media; state: TaskState; data: Segments | null; player: Player; loading: boolean }) {
  const { data, player, state } = props
  const text = useText()
  const items = useMemo(() => (data ? itemsOf(data) : []), [data])
  const segments = useMemo(() => data?.segments ?? [], [data])
  const list = useRef<HTMLDivElement>(null)
  const [scrollMargin, setScrollMargin] = useState(0)
  useLayoutEffect(() => {
    const measure = () => {
      const box = list.current?.getBoundingClientRect()
      if (box) setScrollMargin(Math.round(box.top + scrollY))
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => 56,
    overscan: 12,
    scrollMargin,
    scrollPaddingStart: 220,
    getItemKey: (i) => {
      const item = items[i]
      return item ? (item.kind === 'segment' ? `s${item.segment.id ?? item.segment.start}` : `g${item.gap.start}`) : i
    },
  })

  // Lights the word that is spoken: classes on what is in the document, nothing is rendered.
  const current = useRef(-1)
  useEffect(() => {
    let litSegment: Element | null = null
    let litWord: Element | null = null
    return player.onTime((seconds, jumped) => {
      const at = segmentAt(segments, seconds)
      const segment = segments[at]
      const row = segment ? list.current?.querySelector(`[data-segment="${at}"]`) : null
      if (row !== litSegment) {
        litSegment?.classList.remove('now')
        row?.classList.add('now')
        litSegment = row ?? null
      }
      const word = segment && row ? wordAt(segment, seconds) : -1
      const lit = word >= 0 ? (row?.querySelector(`[data-word="${word}"]`) ?? null) : null
      if (lit !== litWord) {
        litWord?.classList.remove('lit')
        lit?.classList.add('lit')
        litWord = lit
      }
      if (at !== current.current) {
        current.current = at
        if (at >= 0 && (jumped || player.read().playing)) follow(at)
      }
    })
    function follow(at: number) {
      const index = items.findIndex((i) => i.kind === 'segment' && i.index === at)
      const row = list.current?.querySelector(`[data-segment="${at}"]`)
      const box = row?.getBoundingClientRect()
      if (!box || box.top < 240 || box.bottom > innerHeight - 80) virtual.scrollToIndex(index, { align: 'center' })
    }
  }, [player, segments, items, virtual])

  const stepTo = (by: number) => {
    const next = Math.max(0, Math.min(segments.length - 1, segmentAt(segments, player.time + 0.01) + by))
    const segment = segments[next]
    if (segment) player.seek(segment.start)
  }
  useKeys({
    ' ': () => player.toggle(),
    k: () => player.toggle(),
    ArrowLeft: () => player.skip(-5),
    ArrowRight: () => player.skip(5),
    ArrowDown: () => stepTo(1),
    ArrowUp: () => stepTo(-1),
  })

  const words = useMemo(() => segments.reduce((n, s) => n + (s.words.length || s.text.split(/\s+/).length), 0), [segments])
  const onClick = (event: React.MouseEvent) => {
    if (getSelection()?.toString()) return
    const target = event.target as HTMLElement
    const row = target.closest<HTMLElement>('[data-segment]')
    const segment = segments[Number(row?.dataset.segment)]
    if (!segment) return
    const word = target.dataset.word === undefined ? undefined : segment.words[Number(target.dataset.word)]
    player.seek(word?.start ?? segment.start)
  }

  return (
    <section className="transcript" aria-label={text.transcript}>
      <header className="transcript-head">
        <h2>{text.transcript}</h2>
        {words > 0 && <span className="muted">{text.words(words)}</span>}
      </header>
      {items.length === 0 && !props.loading && (
        <p className="muted transcript-none">{isActive(state) ? (state === 'processing' ? text.notYet : text.waitingWords) : state === 'completed' ? text.noSpeech : ''}</p>
      )}
      <div className="transcript-list" ref={list} style={{ height: virtual.getTotalSize() }} onClick={onClick}>
        {virtual.getVirtualItems().map((v) => {
          const item = items[v.index]
          if (!item) return null
          return (
            <div key={v.key} data-index={v.index} ref={virtual.measureElement} className="transcript-item" style={{ transform: `translateY(${v.start - scrollMargin}px)` }}>
              {item.kind === 'segment' ? (
                <SegmentRow segment={item.segment} index={item.index} before={segments[item.index - 1]?.speaker ?? null} />
              ) : (
                <p className="gap" dir="auto">
                  {text.gap(clock(item.gap.start), clock(item.gap.end), item.gap.reason)}
                </p>
              )}
            </div>
          )
        })}
      </div>
    </section>
  )
}

const SegmentRow = memo(function SegmentRow({ segment, index, before }: { segment: Segment; index: number; before: string | null }) {
  const text = useText()
  return (
    <div className="segment" data-segment={index}>
      <button type="button" className="segment-time" data-testid="segment-time">
        {clock(segment.start)}
      </button>
      <div className="segment-body">
        {segment.speaker && segment.speaker !== before && (
          <div className="segment-speaker" dir="auto">
            {segment.speaker}
          </div>
        )}
        <p className="segment-text" dir="auto">
          {piecesOf(segment).map((piece, i) => {
            if (piece.word < 0) return piece.text
            const unsure = (segment.words[piece.word]?.confidence ?? 1) < UNSURE_BELOW
            return (
              <span key={i} data-word={piece.word} className={unsure ? 'w unsure' : 'w'} title={unsure ? text.unsure : undefined}>
                {piece.text}
              </span>
            )
          })}
        </p>
      </div>
    </div>
  )
})
