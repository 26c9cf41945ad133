// The field in which a segment is corrected. What is typed is saved by itself, and is left only when it
// is: where the server is away, or somebody else has changed the segment, it stays and says so.
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { clock } from '../text/format'
import { useNotices } from '../ui/notices'
import { fateOf } from './drafts'
import type { RowProps } from './segment-row'
import { tidy, tidyPlace, wordToSplitAt } from './split'

const AUTOSAVE_MS = 800
const AGAIN_MS = 3000
/** What was changed elsewhere has to have been seen before Enter writes over it. */
const SEEN_MS = 600

export function Editor({ segment, index, last, caret, edits, drafts, events }: RowProps) {
  const text = useText()
  const { show } = useNotices()
  const { connection } = useLive()
  const id = segment.id ?? -1
  const [begun] = useState(() => {
    const draft = drafts.get(id)
    return { value: draft?.text ?? segment.text, conflict: draft !== undefined && fateOf(draft, segment) === 'conflict' }
  })
  const [value, setValue] = useState(begun.value)
  const field = useRef<HTMLTextAreaElement>(null)
  // What the server has; what it had when the field was opened, or since somebody else changed it; and
  // what is on its way there.
  const base = useRef(segment)
  const opened = useRef(segment.text)
  const sent = useRef<Promise<boolean>>(Promise.resolve(true))
  const [trouble, setTrouble] = useState<'' | 'conflict' | 'away' | 'failed' | 'empty'>(begun.conflict ? 'conflict' : '')
  const valueNow = useRef(value)
  valueNow.current = value
  const edit = useRef(edits)
  edit.current = edits

  const sending = useRef(false)
  // What is typed waits: somebody else's change was shown, and has to be seen before it is overwritten.
  const held = useRef(begun.conflict ? performance.now() : 0)
  const hold = () => {
    held.current = performance.now()
    setTrouble('conflict')
  }

  const keep = (wanted: string) => {
    if (wanted === '' || wanted === base.current.text) drafts.remove(id)
    else drafts.set({ id, text: wanted, base: base.current.text })
  }

  // Somebody else's change: taken where nothing of ours would be lost. Our own is told by its answer.
  useEffect(() => {
    if (sending.current || (segment.revision ?? 0) <= (base.current.revision ?? 0)) return
    const mine = tidy(valueNow.current)
    const theirs = segment.text !== base.current.text && segment.text !== mine
    if (mine === base.current.text) {
      // Now: the field may close before it is drawn again, and would save what stood there.
      valueNow.current = segment.text
      setValue(segment.text)
    } else if (theirs) hold()
    base.current = segment
    if (theirs) opened.current = segment.text
    if (mine === segment.text) drafts.remove(id)
  }, [segment])

  const save = useRef(async (): Promise<boolean> => {
    const run = async (): Promise<boolean> => {
      const wanted = tidy(valueNow.current)
      if (wanted === '' || wanted === base.current.text) {
        setTrouble('')
        return true
      }
      if (held.current) return false
      keep(wanted)
      sending.current = true
      const result = await edit.current.setText(base.current, wanted)
      sending.current = false
      if (result.segment) base.current = result.segment
      if (result.kind === 'saved') drafts.remove(id, wanted)
      if (result.kind === 'conflict') {
        opened.current = base.current.text
        hold()
      } else setTrouble(result.kind === 'saved' ? '' : result.kind)
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
  // The server is back; or it was there all the time, and took nothing.
  useEffect(() => {
    if (trouble !== 'away') return
    if (connection === 'live') void save()
    const timer = setInterval(() => void save(), AGAIN_MS)
    return () => clearInterval(timer)
  }, [connection, trouble, save])

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

  /** Enter, Save: what was shown as somebody else's is written over. */
  const saveMine = () => {
    if (held.current && performance.now() - held.current > SEEN_MS) held.current = 0
    return save()
  }
  const done = async () => {
    if (tidy(valueNow.current) === '') return setTrouble('empty')
    if (await saveMine()) events.leave(id)
  }
  const step = async (to: number, place?: number) => {
    if (await save()) events.edit(to, place)
  }
  const split = async () => {
    const place = tidyPlace(value, field.current?.selectionStart ?? 0)
    if (!(await save())) return
    const word = wordToSplitAt(base.current, place)
    if (word === null) show({ text: text.splitNowhere })
    else await events.splitAt(index, base.current, word)
  }
  /** The segment at `second` with the one before it. */
  const join = async (second: number) => {
    if (await save()) await events.mergeBack(second)
  }
  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    const element = event.currentTarget
    const atStart = element.selectionStart === 0 && element.selectionEnd === 0
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Escape') {
      event.preventDefault()
      // As it was when the field was opened, also where it saved itself since; or theirs.
      held.current = 0
      valueNow.current = opened.current
      setValue(opened.current)
      keep(opened.current)
      events.leave(id)
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      void split()
    } else if (event.key === 'Enter') {
      event.preventDefault()
      void done()
    } else if (event.key === 'Backspace' && atStart && index > 0) {
      event.preventDefault()
      void join(index)
    } else if (event.key === 'ArrowUp' && atStart && index > 0) {
      event.preventDefault()
      void step(index - 1)
    } else if (event.key === 'ArrowDown' && element.selectionStart === value.length && !last) {
      event.preventDefault()
      void step(index + 1, 0)
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
          held.current = 0
          if (trouble === 'empty') setTrouble('')
          setValue(e.target.value)
          keep(tidy(e.target.value))
        }}
        onKeyDown={onKeyDown}
        onBlur={() => void save()}
      />
      <p className="segment-hint muted" role={trouble ? 'alert' : undefined} data-trouble={trouble}>
        {trouble === 'conflict' ? text.conflict : trouble === 'away' ? text.draftAway : trouble === 'failed' ? text.saveFailed : trouble === 'empty' ? text.emptySegment : text.editHint}
      </p>
      {trouble === 'conflict' && (
        <p className="segment-theirs" dir="auto">
          {base.current.text}
        </p>
      )}
      {/* The cursor stays in the field while these are pressed. */}
      <div className="segment-buttons" onPointerDown={(e) => e.preventDefault()} onMouseDown={(e) => e.preventDefault()}>
        <button type="button" className="link" onClick={() => void split()}>
          {text.split}
        </button>
        {!last && (
          <button type="button" className="link" onClick={() => void join(index + 1)}>
            {text.merge}
          </button>
        )}
        <button type="button" className="link" onClick={() => void done()}>
          {text.save}
        </button>
      </div>
    </>
  )
}
