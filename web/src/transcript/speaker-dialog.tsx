import { useState } from 'react'
import type { Segment } from '../api/types'
import { useText } from '../text'
import { Button, Dialog } from '../ui/parts'
import type { Edits } from './use-edits'

/** Who speaks here, or under this name wherever it stands. */
export function SpeakerDialog({ segment, names, edits, onClose }: { segment: Segment; names: string[]; edits: Edits; onClose: () => void }) {
  const text = useText()
  const [name, setName] = useState(segment.speaker ?? '')
  const [everywhere, setEverywhere] = useState(segment.speaker !== null)
  const wanted = name.trim()
  return (
    <Dialog title={text.speakerName} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          const done =
            everywhere && segment.speaker && wanted ? edits.renameSpeaker(segment.speaker, wanted) : edits.setSpeaker(segment, wanted === '' ? null : wanted)
          void done.then((ok) => ok && onClose())
        }}
      >
        <input className="field" list="speaker-names" value={name} onChange={(e) => setName(e.target.value)} dir="auto" maxLength={50} data-first aria-label={text.speakerName} />
        <datalist id="speaker-names">
          {names.map((n) => (
            <option key={n} value={n} />
          ))}
        </datalist>
        {segment.speaker && (
          <fieldset className="choices">
            <label dir="auto">
              <input type="radio" name="where" checked={everywhere} onChange={() => setEverywhere(true)} />
              {text.speakerAll(segment.speaker)}
            </label>
            <label>
              <input type="radio" name="where" checked={!everywhere} onChange={() => setEverywhere(false)} />
              {text.speakerHere}
            </label>
          </fieldset>
        )}
        <div className="dialog-buttons">
          <Button onClick={onClose}>{text.close}</Button>
          <Button kind="primary" type="submit" disabled={wanted === (segment.speaker ?? '') || (wanted === '' && everywhere && segment.speaker !== null)}>
            {text.save}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
