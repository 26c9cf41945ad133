// Web addresses of recordings, where the server fetches them.
import { useState } from 'react'
import { apiOnce } from '../api/client'
import { useActions } from '../media/actions'
import { useText } from '../text'
import { Button } from '../ui/parts'

export function addressesOf(typed: string): string[] {
  return typed.split(/\s+/).filter((one) => {
    try {
      return ['http:', 'https:'].includes(new URL(one).protocol)
    } catch {
      return false
    }
  })
}

export function ImportBox() {
  const text = useText()
  const actions = useActions()
  const [typed, setTyped] = useState('')
  const addresses = addressesOf(typed)
  return (
    <form
      className="import"
      onSubmit={(e) => {
        e.preventDefault()
        void actions.attempt(async () => {
          for (const url of addresses) await apiOnce('/api/v1/media', { url })
          setTyped('')
        })
      }}
    >
      <input className="field" value={typed} onChange={(e) => setTyped(e.target.value)} placeholder={text.addressPlaceholder} aria-label={text.addressLabel} dir="ltr" spellCheck={false} />
      <Button type="submit" disabled={addresses.length === 0}>
        {text.fetchIt}
      </Button>
    </form>
  )
}
