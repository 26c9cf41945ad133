import { useState } from 'react'
import { useText } from '../text'
import { Button, Dialog } from '../ui/parts'
import { useActions } from './actions'

export function RenameDialog({ id, title, onClose }: { id: string; title: string; onClose: () => void }) {
  const text = useText()
  const actions = useActions()
  const [value, setValue] = useState(title)
  return (
    <Dialog title={text.rename} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void actions.attempt(() => actions.rename(id, value.trim())).then((done) => done && onClose())
        }}
      >
        <input className="field" value={value} onChange={(e) => setValue(e.target.value)} dir="auto" maxLength={500} autoFocus aria-label={text.rename} required />
        <div className="dialog-buttons">
          <Button onClick={onClose}>{text.close}</Button>
          <Button kind="primary" type="submit" disabled={value.trim() === '' || value.trim() === title}>
            {text.rename}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
