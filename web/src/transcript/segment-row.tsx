// One stretch of speech: its time, who speaks, its words; and the field in which it is corrected.
import { memo, useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Segment } from '../api/types'
import { useText } from '../text'
import { clock } from '../text/format'
import { PenIcon } from '../ui/icons'
import { wordIndexAt } from './edits'
import { piecesOf, UNSURE_BELOW } from './find-time'
import type { Edits } from './use-edits'

export interface RowEvents {
  edit(index: number, caret?: number): void
  speaker(index: number): void
  leave(): void
  /** Joins it with the one before and goes on editing there. */
  mergeBack(index: number): Promise<void>
  splitAt(index: number, segment: Segment, word: number): Promise<void>
}

interface Props {
  segment: Segment
  index: number
  before: string | null
  last: boolean
  editing: boolean
  caret: number | undefined
  canEdit: boolean
  edits: Edits
  events: RowEvents
}

// The edits are new with each keystroke that was saved; a row needs them only while it is edited.
const same = (a: Props, b: Props) =>
  a.segment === b.segment && a.index === b.index && a.before === b.before && a.last === b.last && a.editing === b.editing && a.canEdit === b.canEdit && (!b.editing || (a.edits === b.edits && a.caret === b.caret)) && a.events === b.events

export const SegmentRow = memo(function SegmentRow(props: Props) {
  const { segment, index, before, editing, canEdit, events } = props
  const text = useText()
  const named = segment.speaker && segment.speaker !== before
  return (
    <div className={`segment ${editing ? 'editing' : ''}`} data-segment={index}>
      <button type="button" className="segment-time" data-seek="">
        {clock(segment.start)}
      </button>
      <div className="segment-body">
        {named &&
          (canEdit ? (
            <button type="button" className="segment-speaker" dir="auto" onClick={() => events.speaker(index)}>
              {segment.speaker}
            </button>
          ) : (
            <div className="segment-speaker" dir="auto">
              {segment.speaker}
            </div>
          ))}
        {editing ? (
          <Editor {...props} />
        ) : (
          <p className="segment-text" dir="auto">
            {piecesOf(segment).map((piece, i) => {
              if (piece.word < 0) return <span key={i}>{piece.text}</span>
              const unsure = (segment.words[piece.word]?.confidence ?? 1) < UNSURE_BELOW
              return (
                <span key={i} data-word={piece.word} className={unsure ? 'w unsure' : 'w'} title={unsure ? text.unsure : undefined}>
                  {piece.text}
                </span>
              )
            })}
          </p>
        )}
      </div>
      {canEdit && !editing && (
        <div className="segment-tools">
          {!named && (
            <button type="button" className="link" onClick={() => events.speaker(index)}>
              {text.speaker}
            </button>
          )}
          <button type="button" className="icon-button" aria-label={`${text.edit}: ${clock(segment.start)}`} title={text.edit} onClick={() => events.edit(index)}>
            <PenIcon />
          </button>
        </div>
      )}
    </div>
  )
}, same)

const AUTOSAVE_MS = 800

function Editor({ segment, index, last, caret, edits, events }: Props) {
  const text = useText()
  const [value, setValue] = useState(segment.text)
  const field = useRef<HTMLTextAreaElement>(null)
  // What the server has, and what is on its way there.
  const base = useRef(segment)
  const sent = useRef<Promise<boolean>>(Promise.resolve(true))
  const [conflict, setConflict] = useState(false)
  const valueNow = useRef(value)
  valueNow.current = value
  const edit = useRef(edits)
  edit.current = edits

  const sending = useRef(false)
  // What is typed waits: somebody else's change was shown, and has to be seen before it is overwritten.
  const held = useRef(false)

  // Somebody else's change: taken where nothing of ours would be lost. Our own is told by its answer.
  useEffect(() => {
    if (sending.current || (segment.revision ?? 0) <= (base.current.revision ?? 0)) return
    if (valueNow.current.trim() === base.current.text) setValue(segment.text)
    else if (segment.text !== base.current.text) {
      held.current = true
      setConflict(true)
    }
    base.current = segment
  }, [segment])

  const save = useRef(async (): Promise<boolean> => {
    const run = async (): Promise<boolean> => {
      const wanted = valueNow.current.trim().replace(/\s+/g, ' ')
      if (wanted === '' || wanted === base.current.text) return true
      if (held.current) return false
      sending.current = true
      const result = await edit.current.setText(base.current, wanted)
      sending.current = false
      if (result.segment) base.current = result.segment
      if (result.kind === 'conflict') held.current = true
      setConflict(result.kind === 'conflict')
      return result.kind === 'saved'
    }
    sent.current = sent.current.then(run, run)
    return sent.current
  }).current

  useEffect(() => {
    if (value === base.current.text) return
    const timer = setTimeout(() => void save(), AUTOSAVE_MS)
    return () => clearTimeout(timer)
  }, [value, save])
  // Left by whatever way: what was typed is saved.
  useEffect(() => () => void save(), [save])

  useLayoutEffect(() => {
    const element = field.current
    if (!element) return
    element.focus({ preventScroll: false })
    const place = caret ?? element.value.length
    element.setSelectionRange(place, place)
  }, [caret])
  useLayoutEffect(() => {
    const element = field.current
    if (!element) return
    element.style.height = '0'
    element.style.height = `${element.scrollHeight}px`
  }, [value])

  const split = () => {
    const word = wordIndexAt(value.trim().replace(/\s+/g, ' '), field.current?.selectionStart ?? 0)
    void save().then((ok) => (ok ? events.splitAt(index, base.current, word) : undefined))
  }
  /** The segment at `second` with the one before it. */
  const join = (second: number) => void save().then((ok) => (ok ? events.mergeBack(second) : undefined))
  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    const element = event.currentTarget
    const atStart = element.selectionStart === 0 && element.selectionEnd === 0
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Escape') {
      event.preventDefault()
      valueNow.current = base.current.text
      setValue(base.current.text)
      events.leave()
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      split()
    } else if (event.key === 'Enter') {
      event.preventDefault()
      void save()
      events.leave()
    } else if (event.key === 'Backspace' && atStart && index > 0) {
      event.preventDefault()
      join(index)
    } else if ((event.key === 'ArrowUp' && atStart && index > 0) || (event.key === 'ArrowDown' && element.selectionStart === value.length)) {
      event.preventDefault()
      void save()
      events.edit(index + (event.key === 'ArrowUp' ? -1 : 1), event.key === 'ArrowUp' ? undefined : 0)
    }
  }
  return (
    <>
      <textarea
        ref={field}
        className="segment-text segment-field"
        dir="auto"
        value={value}
        rows={1}
        spellCheck
        aria-label={`${text.edit}: ${clock(segment.start)}`}
        onChange={(e) => {
          held.current = false
          setValue(e.target.value)
        }}
        onKeyDown={onKeyDown}
        onBlur={() => void save()}
      />
      <p className="segment-hint muted" role={conflict ? 'alert' : undefined}>
        {conflict ? text.conflict : text.editHint}
      </p>
      {/* The cursor stays in the field while these are pressed. */}
      <div className="segment-buttons" onPointerDown={(e) => e.preventDefault()} onMouseDown={(e) => e.preventDefault()}>
        <button type="button" className="link" onClick={split}>
          {text.split}
        </button>
        {!last && (
          <button type="button" className="link" onClick={() => join(index + 1)}>
            {text.merge}
          </button>
        )}
        <button
          type="button"
          className="link"
          onClick={() => {
            void save()
            events.leave()
          }}
        >
          {text.save}
        </button>
      </div>
    </>
  )
}
