// One stretch of speech: its time, who speaks, its words.
import { memo } from 'react'
import type { Segment } from '../api/types'
import { useText } from '../text'
import { clock } from '../text/format'
import { PenIcon } from '../ui/icons'
import type { Drafts } from './drafts'
import { Editor } from './editor'
import { isUnsure, piecesOf, unsureWords } from './find-time'
import type { Edits } from './use-edits'

export interface RowEvents {
  edit(index: number, caret?: number): void
  speaker(index: number): void
  /** The field of this segment is done with. */
  leave(id: number): void
  /** Joins it with the one before and goes on editing there. */
  mergeBack(index: number): Promise<void>
  splitAt(index: number, segment: Segment, word: number): Promise<void>
}

export interface RowProps {
  segment: Segment
  index: number
  before: string | null
  last: boolean
  editing: boolean
  caret: number | undefined
  canEdit: boolean
  edits: Edits
  drafts: Drafts
  events: RowEvents
}

// The edits are new with each keystroke that was saved; a row needs them only while it is edited.
const same = (a: RowProps, b: RowProps) =>
  a.segment === b.segment && a.index === b.index && a.before === b.before && a.last === b.last && a.editing === b.editing && a.canEdit === b.canEdit && (!b.editing || (a.edits === b.edits && a.caret === b.caret)) && a.drafts === b.drafts && a.events === b.events

export const SegmentRow = memo(function SegmentRow(props: RowProps) {
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
          <Words segment={segment} />
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

function Words({ segment }: { segment: Segment }) {
  const text = useText()
  const unsure = unsureWords(segment)
  return (
    <>
      <p className="segment-text" dir="auto">
        {piecesOf(segment).map((piece, i) => {
          if (piece.word < 0) return piece.text
          const marked = isUnsure(segment, piece.word)
          return (
            <span key={i} data-word={piece.word} className={marked ? 'w unsure' : 'w'} title={marked ? text.unsure : undefined} tabIndex={marked ? -1 : undefined}>
              {piece.text}
            </span>
          )
        })}
      </p>
      {unsure.length > 0 && <span className="sr-only">{text.unsureWords(unsure)}</span>}
    </>
  )
}
