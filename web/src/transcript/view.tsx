// The words of a recording: only those near the window are in the document, so that ten thousand
// scroll like ten.
import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useFeatures } from '../api/features'
import { isActive, type Media, type Segments, type TaskState, type Unit } from '../api/types'
import { type Player, usePlayerLower } from '../media/player'
import { useText } from '../text'
import { clock } from '../text/format'
import { useKeys } from '../ui/hooks'
import { useMay } from '../ui/may'
import { CopyIcon, RedoIcon, SearchIcon, UndoIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { IconButton, Menu } from '../ui/parts'
import { copyText, transcriptText } from './copy'
import { Drafts } from './drafts'
import type { Match } from './find'
import { FindBar, type FindState, NOTHING_WANTED } from './find-bar'
import { segmentAt } from './find-time'
import { clearHighlights, highlight } from './highlight'
import { gapReason, itemsOf } from './items'
import { type RowEvents, SegmentRow } from './segment-row'
import { SpeakerDialog } from './speaker-dialog'
import { Unsaved } from './unsaved'
import { useEdits } from './use-edits'
import { useRows } from './use-rows'
import { useSpoken } from './use-spoken'
import { useUnsure } from './use-unsure'

interface Props {
  media: Media
  state: TaskState
  data: Segments | null
  player: Player
  loading: boolean
  /** Of the task; what they say of a gap is better than its own words. */
  chunks: Unit[]
}

export const Transcript = memo(function Transcript(props: Props) {
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
  const finder = useRef<HTMLButtonElement>(null)
  const [find, setFind] = useState<FindState>(NOTHING_WANTED)
  const segmentsNow = useRef(segments)
  segmentsNow.current = segments
  const taskId = data?.task_id ?? ''
  const drafts = useMemo(() => new Drafts(sessionStorage, `durascribe.drafts.${taskId}`), [taskId])
  const [findPx, setFindPx] = useState(0)
  const covered = usePlayerLower(player) + findPx
  useLayoutEffect(() => {
    document.documentElement.style.setProperty('--covered', `${Math.max(covered, 60)}px`)
    return () => void document.documentElement.style.removeProperty('--covered')
  }, [covered])
  const { list, virtual, scrollMargin, edited, focus } = useRows(items, segments, editing?.id ?? null, covered)
  useSpoken({ player, segments, items, list, virtual, held: edited, covered })

  const showRow = useCallback(
    (index: number) => {
      const item = items.findIndex((i) => i.kind === 'segment' && i.index === index)
      if (item >= 0) virtual.scrollToIndex(item, { align: 'auto' })
    },
    [items, virtual],
  )
  const showRowNow = useRef(showRow)
  showRowNow.current = showRow

  // A field that closes gives the focus to its row.
  const left = useRef<number | null>(null)
  useEffect(() => {
    const id = left.current
    left.current = null
    if (id === null || editing !== null) return
    const index = segmentsNow.current.findIndex((s) => s.id === id)
    list.current?.querySelector<HTMLElement>(`[data-segment="${index}"] .segment-time`)?.focus({ preventScroll: true })
  }, [editing])

  const events = useMemo<RowEvents>(
    () => ({
      edit(index, caret) {
        const id = segmentsNow.current[index]?.id
        if (typeof id !== 'number') return
        setEditing({ id, caret })
        showRowNow.current(index)
      },
      speaker: (index) => setNaming(segmentsNow.current[index]?.id ?? null),
      leave: (id) => {
        left.current = id
        setEditing((now) => (now?.id === id ? null : now))
      },
      async mergeBack(index) {
        const before = segmentsNow.current[index - 1]
        if (!before || !(await editsNow.current.merge(before))) return
        setEditing({ id: before.id ?? -1, caret: before.text.length + 1 })
      },
      async splitAt(index, segment, word) {
        if (!(await editsNow.current.split(segment, word))) return
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
  const copyThis = (what: string) =>
    void copyText(what).then(
      () => show({ text: text.copied }),
      () => show({ text: text.copyFailed, tone: 'bad' }),
    )
  const copy = (times: boolean) => copyThis(transcriptText(segments, times))
  const unsure = useUnsure({ segments, list, from: currentIndex, showRow, edit: canEdit ? events.edit : null })
  const typing = () => document.activeElement instanceof HTMLTextAreaElement || document.activeElement instanceof HTMLInputElement
  const isIn = (e: KeyboardEvent, what: string) => e.target instanceof Element && e.target.closest(what) !== null
  useKeys({
    // A time is gone to by Enter.
    ' ': (e) => (isIn(e, 'button:not(.segment-time), a, summary, [type=checkbox], [tabindex="0"]') ? false : player.toggle()),
    ArrowLeft: () => player.skip(-5),
    ArrowRight: () => player.skip(5),
    // What scrolls by itself does so when it has the focus.
    ArrowDown: (e) => (isIn(e, '[tabindex="0"]') ? false : stepTo(1)),
    ArrowUp: (e) => (isIn(e, '[tabindex="0"]') ? false : stepTo(-1)),
    e: () => (canEdit ? events.edit(currentIndex()) : false),
    u: (e) => (segments.length > 0 ? unsure.step(e.shiftKey ? -1 : 1) : false),
    Enter: (e) => unsure.edit(e.target as Element),
    'ctrl+f': () => {
      if (segments.length === 0) return false
      setFinding(true)
      document.querySelector<HTMLInputElement>('.find input')?.select() // it may be open already
    },
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
  useEffect(() => clearHighlights, [])
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
            <IconButton ref={finder} label={canEdit ? `${text.find}, ${text.replace}` : text.find} onClick={() => setFinding(!finding)} aria-expanded={finding}>
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
      {data && canEdit && <Unsaved drafts={drafts} segments={segments} editing={editing?.id ?? null} edits={edits} onEdit={(index) => events.edit(index)} onCopy={copyThis} />}
      {finding && <FindBar segments={segments} canEdit={canEdit} edits={edits} finder={finder} onFind={setFind} onHeight={setFindPx} onShow={onShowMatch} onClose={() => setFinding(false)} />}
      {items.length === 0 && !props.loading && (
        <p className="muted transcript-none">{isActive(state) ? (state === 'processing' ? text.notYet : text.waitingWords) : state === 'completed' ? text.noSpeech : state === 'cancelled' ? text.nothingKept : ''}</p>
      )}
      <div className="transcript-list" ref={list} style={{ height: virtual.getTotalSize() }} onClick={onClick} onDoubleClick={onDoubleClick} {...focus}>
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
                  drafts={drafts}
                  events={events}
                />
              ) : (
                <p className="gap" dir="auto">
                  {text.gap(clock(item.gap.start), clock(item.gap.end), gapReason(item.gap, props.chunks, text))}
                </p>
              )}
            </div>
          )
        })}
      </div>
      {named && <SpeakerDialog segment={named} names={names} edits={edits} onClose={() => setNaming(null)} />}
    </section>
  )
})
