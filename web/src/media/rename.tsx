import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { apiTagged, mediaPath } from '../api/client'
import type { Media } from '../api/types'
import { useText } from '../text'
import { Button, Dialog } from '../ui/parts'
import { useActions } from './actions'

export function RenameDialog({ id, title, onClose }: { id: string; title: string; onClose: () => void }) {
  const text = useText()
  const actions = useActions()
  const [value, setValue] = useState(title)
  // The title that is being replaced is the one that was seen when the dialog opened.
  const seen = useQuery({ queryKey: ['title', id], queryFn: ({ signal }) => apiTagged<Media>(mediaPath(id), { signal }), staleTime: 0, gcTime: 0 })
  const wanted = value.trim()
  return (
    <Dialog title={text.rename} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void actions.attempt(() => actions.rename(id, wanted, seen.data?.tag ?? null)).then((done) => (done ? onClose() : void seen.refetch()))
        }}
      >
        <input className="field" value={value} onChange={(e) => setValue(e.target.value)} dir="auto" maxLength={500} data-first aria-label={text.rename} required />
        <div className="dialog-buttons">
          <Button onClick={onClose}>{text.close}</Button>
          <Button kind="primary" type="submit" disabled={wanted === '' || wanted === title || !seen.isSuccess}>
            {text.rename}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
