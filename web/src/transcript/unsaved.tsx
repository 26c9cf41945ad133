// Corrections that are not on the server: those that can be are saved once it is reached; the others
// (somebody else has changed the segment, or it is gone) are shown, and stay until the reader decides.
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Segment } from '../api/types'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { clock } from '../text/format'
import { Button } from '../ui/parts'
import { type Drafts, fateOf } from './drafts'
import type { Edits } from './use-edits'

const SETTLED_MS = 500

export function Unsaved(props: { drafts: Drafts; segments: Segment[]; editing: number | null; edits: Edits; onEdit: (index: number) => void; onCopy: (text: string) => void }) {
  const { drafts, segments, editing, edits } = props
  const text = useText()
  const { connection } = useLive()
  const all = useSyncExternalStore(drafts.subscribe, drafts.all)
  const edit = useRef(edits)
  edit.current = edits
  // Each is tried once for every time that the server comes back; a field that closes saves by itself.
  const [refused, setRefused] = useState<ReadonlySet<number>>(new Set())
  useEffect(() => setRefused(new Set()), [connection])
  useEffect(() => {
    if (connection !== 'live') return
    const timer = setTimeout(() => {
      for (const draft of all) {
        const segment = segments.find((s) => s.id === draft.id)
        if (draft.id === editing || refused.has(draft.id)) continue
        const fate = fateOf(draft, segment)
        if (fate === 'done') drafts.remove(draft.id)
        if (fate !== 'save' || !segment) continue
        void edit.current.setText(segment, draft.text).then(({ kind }) => {
          if (kind === 'saved') drafts.remove(draft.id, draft.text)
          else setRefused((now) => new Set([...now, draft.id]))
        })
      }
    }, SETTLED_MS)
    return () => clearTimeout(timer)
  }, [all, connection, drafts, editing, segments, refused])
  const shown = all.filter((draft) => {
    const fate = fateOf(draft, segments.find((s) => s.id === draft.id))
    return draft.id !== editing && fate !== 'done' && (fate !== 'save' || connection !== 'live' || refused.has(draft.id))
  })
  if (shown.length === 0) return null
  return (
    <section className="unsaved card" aria-label={text.unsaved} data-testid="unsaved">
      <h3>{text.unsaved}</h3>
      <ul role="list">
        {shown.map((draft) => {
          const index = segments.findIndex((s) => s.id === draft.id)
          const segment = segments[index]
          const fate = fateOf(draft, segment)
          return (
            <li key={draft.id} data-fate={fate}>
              <p>
                {segment && <span className="muted">{clock(segment.start)} </span>}
                <span dir="auto">{draft.text}</span>
              </p>
              <p className="muted">{fate === 'gone' ? text.draftGone : fate === 'conflict' ? text.draftConflict : text.draftAway}</p>
              <p className="segment-buttons">
                {segment ? (
                  <Button small onClick={() => props.onEdit(index)}>
                    {text.edit}
                  </Button>
                ) : (
                  <Button small onClick={() => props.onCopy(draft.text)}>
                    {text.copy}
                  </Button>
                )}
                <Button small kind="quiet" onClick={() => drafts.remove(draft.id)}>
                  {text.discard}
                </Button>
              </p>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
