// The words of a recording: only those near the window are in the document, so that ten thousand
// scroll like ten.
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useFeatures } from '../api/features'
import { type Gap, isActive, type Media, type Segment, type Segments, type TaskState } from '../api/types'
import type { Player } from '../media/player'
import { useText } from '../text'
import { clock } from '../text/format'
import { useKeys } from '../ui/hooks'
import { useMay } from '../ui/may'
import { CopyIcon, RedoIcon, SearchIcon, UndoIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { IconButton, Menu } from '../ui/parts'
import { copyText, transcriptText } from './copy'
import type { Match } from './find'
import { FindBar, type FindState } from './find-bar'
import { segmentAt, wordAt } from './find-time'
import { highlight } from './highlight'
import { type RowEvents, SegmentRow } from './segment-row'
import { SpeakerDialog } from './speaker-dialog'
import { useEdits } from './use-edits'

type Item = { kind: 'segment'; segment: Segment; index: number } | { kind: 'gap'; gap: Gap }

export function itemsOf(data: Segments): Item[] {
  const items: Item[] = data.segments.map((segment, index) => ({ kind: 'segment', segment, index }))
  for (const gap of data.gaps) items.push({ kind: 'gap', gap })
  const start = (i: Item) => (i.kind === 'segment' ? i.segment.start : i.gap.start)
  return items.sort((a, b) => start(a) - start(b))
}

export function Transcript(props: { media: Media; state: TaskState; data: Segments | null; player: Player; loading: boolean }) {
  const { media, data, player, state } = props
  const text = useText()
  const features = useFeatures()
  const { show } = useNotices()
  const items = useMemo(() => (data ? itemsOf(data) : []), [data])
  const segments = useMemo(() => data?.segments ?? [], [data])
  const edits = useEdits(media.id, data)
  const editsNow = useRef(edits)
  editsNow.current = edits
  const may = useMay()
  const canEdit = features.edit && may.change && segments.length > 0 && typeof segments[0]?.id === 'number'
  const [editing, setEditing] = useState<{ id: number; caret: number | undefined } | null>(null)
  const [naming, setNaming] = useState<number | null>(null)
  const [finding, setFinding] = useState(false)
  const [find, setFind] = useState<FindState>({ query: '', matchCase: false, current: null })
  const segmentsNow = useRef(segments)
  segmentsNow.current = segments
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

  const showRow = useCallback(
    (index: number) => {
      const item = items.findIndex((i) => i.kind === 'segment' && i.index === index)
      if (item >= 0) virtual.scrollToIndex(item, { align: 'auto' })
    },
    [items, virtual],
  )
  const showRowNow = useRef(showRow)
  showRowNow.current = showRow

  const events = useMemo<RowEvents>(
    () => ({
      edit(index, caret) {
        const id = segmentsNow.current[index]?.id
        if (typeof id !== 'number') return
        setEditing({ id, caret })
        showRowNow.current(index)
      },
      speaker: (index) => setNaming(segmentsNow.current[index]?.id ?? null),
      leave: () => setEditing(null),
      async mergeBack(index) {
        const before = segmentsNow.current[index - 1]
        if (!before || !(await editsNow.current.merge(before))) return
        setEditing({ id: before.id ?? -1, caret: before.text.length + 1 })
      },
      async splitAt(index, segment, word) {
        if (word < 1 || !(await editsNow.current.split(segment, word))) return
        setTimeout(() => this.edit(index + 1, 0))
      },
    }),
    [],
  )

  const currentIndex = () => Math.max(0, segmentAt(segments, player.time + 0.01))
  const stepTo = (by: number) => {
    const segment = segments[Math.max(0, Math.min(segments.length - 1, currentIndex() + by))]
    if (segment) player.seek(segment.start)
  }
  const copy = (times: boolean) =>
    void copyText(transcriptText(segments, times)).then(
      () => show({ text: text.copied }),
      () => show({ text: text.copyFailed, tone: 'bad' }),
    )
  const typing = () => document.activeElement instanceof HTMLTextAreaElement || document.activeElement instanceof HTMLInputElement
  const isIn = (e: KeyboardEvent, what: string) => e.target instanceof Element && e.target.closest(what) !== null
  useKeys({
    ' ': (e) => (isIn(e, 'button, a, summary, [tabindex="0"]') ? false : player.toggle()),
    ArrowLeft: () => player.skip(-5),
    ArrowRight: () => player.skip(5),
    // What scrolls by itself does so when it has the focus.
    ArrowDown: (e) => (isIn(e, '[tabindex="0"]') ? false : stepTo(1)),
    ArrowUp: (e) => (isIn(e, '[tabindex="0"]') ? false : stepTo(-1)),
    e: () => (canEdit ? events.edit(currentIndex()) : false),
    'ctrl+f': () => (segments.length > 0 ? setFinding(true) : false),
    'ctrl+z': (e) => (typing() ? false : void (e.shiftKey ? edits.redo() : edits.undo())),
    'ctrl+y': () => (typing() ? false : void edits.redo()),
    'ctrl+ ': () => player.toggle(),
  })

  // What was found is marked in the rows that are in the document.
  const shown = virtual.getVirtualItems()
  const firstShown = shown[0]?.index
  const lastShown = shown[shown.length - 1]?.index
  useEffect(() => {
    if (list.current) highlight(list.current, segments, find)
  }, [segments, find, firstShown, lastShown, editing])
  const onShowMatch = useCallback(
    (match: Match) => {
      const segment = segmentsNow.current[match.segment]
      if (segment) player.seek(segment.start)
    },
    [player],
  )

  const words = useMemo(() => segments.reduce((n, s) => n + (s.words.length || s.text.split(/\s+/).length), 0), [segments])
  const onClick = (event: React.MouseEvent) => {
    if (getSelection()?.toString()) return
    const target = event.target as HTMLElement
    if (target.closest('textarea, .segment-tools, .segment-speaker')) return
    const row = target.closest<HTMLElement>('[data-segment]')
    const segment = segments[Number(row?.dataset.segment)]
    if (!segment) return
    const word = target.dataset.word === undefined ? undefined : segment.words[Number(target.dataset.word)]
    if (word || target.dataset.seek !== undefined) player.seek(word?.start ?? segment.start)
  }
  const onDoubleClick = (event: React.MouseEvent) => {
    if (!canEdit) return
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-segment]')
    const paragraph = row?.querySelector('p.segment-text')
    if (!row || !paragraph) return
    const selection = getSelection()
    let caret: number | undefined
    if (selection?.focusNode && paragraph.contains(selection.focusNode)) {
      const range = new Range()
      range.selectNodeContents(paragraph)
      range.setEnd(selection.focusNode, selection.focusOffset)
      caret = range.toString().length
    }
    selection?.removeAllRanges()
    events.edit(Number(row.dataset.segment), caret)
  }
  const named = naming === null ? undefined : segments.find((s) => s.id === naming)
  const names = useMemo(() => [...new Set(segments.map((s) => s.speaker).filter((n) => n !== null))], [segments])

  return (
    <section className="transcript" aria-label={text.transcript}>
      <header className="transcript-head">
        <h2>{text.transcript}</h2>
        {words > 0 && <span className="muted">{text.words(words)}</span>}
        <span className="muted" role="status" data-testid="saving" data-state={edits.saving}>
          {edits.saving === 'saving' ? text.saving : edits.saving === 'saved' ? text.saved : edits.saving === 'failed' ? text.saveFailed : ''}
        </span>
        <span className="grow" />
        {canEdit && features.restore && (
          <>
            <IconButton label={text.undo} disabled={!edits.canUndo} onClick={() => void edits.undo()}>
              <UndoIcon />
            </IconButton>
            <IconButton label={text.redo} disabled={!edits.canRedo} onClick={() => void edits.redo()}>
              <RedoIcon />
            </IconButton>
          </>
        )}
        {segments.length > 0 && (
          <>
            <IconButton label={canEdit ? `${text.find}, ${text.replace}` : text.find} onClick={() => setFinding(!finding)} aria-expanded={finding}>
              <SearchIcon />
            </IconButton>
            <Menu
              label={text.copy}
              icon={<CopyIcon />}
              items={[
                { label: text.copy, onPick: () => copy(false) },
                { label: text.copyTimes, onPick: () => copy(true) },
              ]}
            />
          </>
        )}
      </header>
      {finding && <FindBar segments={segments} canEdit={canEdit} edits={edits} onFind={setFind} onShow={onShowMatch} onClose={() => setFinding(false)} />}
      {items.length === 0 && !props.loading && (
        <p className="muted transcript-none">{isActive(state) ? (state === 'processing' ? text.notYet : text.waitingWords) : state === 'completed' ? text.noSpeech : ''}</p>
      )}
      <div className="transcript-list" ref={list} style={{ height: virtual.getTotalSize() }} onClick={onClick} onDoubleClick={onDoubleClick}>
        {shown.map((v) => {
          const item = items[v.index]
          if (!item) return null
          return (
            <div key={v.key} data-index={v.index} ref={virtual.measureElement} className="transcript-item" style={{ transform: `translateY(${v.start - scrollMargin}px)` }}>
              {item.kind === 'segment' ? (
                <SegmentRow
                  segment={item.segment}
                  index={item.index}
                  before={segments[item.index - 1]?.speaker ?? null}
                  last={item.index === segments.length - 1}
                  editing={editing !== null && editing.id === item.segment.id}
                  caret={editing?.caret}
                  canEdit={canEdit}
                  edits={edits}
                  events={events}
                />
              ) : (
                <p className="gap" dir="auto">
                  {text.gap(clock(item.gap.start), clock(item.gap.end), item.gap.reason)}
                </p>
              )}
            </div>
          )
        })}
      </div>
      {named && <SpeakerDialog segment={named} names={names} edits={edits} onClose={() => setNaming(null)} />}
    </section>
  )
}
