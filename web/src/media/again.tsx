// Transcribing once more: as before, or with another model, in another language.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { systemQuery } from '../api/system'
import type { Task } from '../api/types'
import { useText } from '../text'
import { Button, Dialog } from '../ui/parts'
import { useActions } from './actions'

export function AgainDialog({ id, task, onClose }: { id: string; task: Task | undefined; onClose: () => void }) {
  const text = useText()
  const actions = useActions()
  const models = useQuery(systemQuery).data?.models ?? []
  const [choice, setChoice] = useState('')
  const [language, setLanguage] = useState('')
  const [busy, setBusy] = useState(false)
  const run = async () => {
    const model = models[Number(choice)]
    setBusy(true)
    const done = await actions.attempt(() =>
      actions.again(id, {
        ...(choice !== '' && model ? { engine: model.engine, model: model.model } : {}),
        ...(language.trim() === '' ? {} : { language: language.trim() }),
      }),
    )
    setBusy(false)
    if (done) onClose()
  }
  return (
    <Dialog title={text.again} onClose={onClose}>
      <p className="muted">{text.againHint}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          if (!busy) void run()
        }}
      >
        <label className="labelled">
          <span>{text.model}</span>
          <span className="select">
            <select value={choice} onChange={(e) => setChoice(e.target.value)} data-first>
              <option value="">{text.asBefore}</option>
              {models.map((m, i) => (
                <option key={`${m.engine}.${m.model}`} value={i}>
                  {m.engine} · {m.model}
                </option>
              ))}
            </select>
          </span>
        </label>
        <label className="labelled">
          <span>{text.language}</span>
          <input className="field" value={language} onChange={(e) => setLanguage(e.target.value)} placeholder={task?.options.language || text.asBefore} maxLength={35} dir="ltr" spellCheck={false} autoComplete="off" />
        </label>
        <div className="dialog-buttons">
          <Button onClick={onClose}>{text.close}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {text.again}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
