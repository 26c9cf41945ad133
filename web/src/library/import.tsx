// Web addresses of recordings, which the server fetches: typed or pasted into the box, or pasted
// anywhere on the page.
import { useEffect, useState } from 'react'
import { apiOnce } from '../api/client'
import { useActions } from '../media/actions'
import { useText } from '../text'
import { isTyping } from '../ui/hooks'
import { Button } from '../ui/parts'

/** As many as one batch takes. */
const AT_MOST = 1000

const isAddress = (one: string): boolean => {
  try {
    return ['http:', 'https:'].includes(new URL(one).protocol)
  } catch {
    return false
  }
}
const piecesOf = (typed: string): string[] => [...new Set(typed.split(/\s+/).filter((one) => one !== ''))]

export const addressesOf = (typed: string): string[] => piecesOf(typed).filter(isAddress).slice(0, AT_MOST)

/** What is typed besides, and is not fetched. */
export const othersOf = (typed: string): string[] => {
  const taken = new Set(addressesOf(typed))
  return piecesOf(typed).filter((one) => !taken.has(one))
}

/** All of them are queued, or none and the error says which was not liked. */
export async function fetchAddresses(addresses: readonly string[]): Promise<void> {
  if (addresses.length === 1) await apiOnce('/api/v1/media', { url: addresses[0] })
  else if (addresses.length > 1) await apiOnce('/api/v1/batches', { items: addresses.map((url) => ({ url })) })
}

export function ImportBox() {
  const text = useText()
  const actions = useActions()
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const addresses = addressesOf(typed)
  const others = othersOf(typed)
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const pasted = event.clipboardData?.getData('text') ?? ''
      if (isTyping(event.target) || addressesOf(pasted).length === 0) return
      event.preventDefault()
      setTyped(addressesOf(pasted).join(' '))
    }
    document.addEventListener('paste', paste)
    return () => document.removeEventListener('paste', paste)
  }, [])
  const submit = async () => {
    setBusy(true)
    if (await actions.attempt(() => fetchAddresses(addresses))) setTyped(others.join(' '))
    setBusy(false)
  }
  return (
    <form
      className="import"
      onSubmit={(e) => {
        e.preventDefault()
        if (!busy) void submit()
      }}
    >
      <input
        className="field"
        value={typed}
        placeholder={text.addressPlaceholder}
        aria-label={text.addressLabel}
        dir="ltr"
        spellCheck={false}
        autoComplete="off"
        onChange={(e) => setTyped(e.target.value)}
        onPaste={(e) => {
          // A field of one line would run lines into one another.
          const pasted = e.clipboardData.getData('text')
          if (!/[\r\n]/.test(pasted)) return
          e.preventDefault()
          setTyped(`${typed} ${pasted.replace(/\s+/g, ' ')}`.trim())
        }}
      />
      <Button type="submit" disabled={addresses.length === 0 || busy}>
        {addresses.length > 1 ? text.fetchN(addresses.length) : text.fetchIt}
      </Button>
      <p className="import-others muted" role="status" hidden={others.length === 0}>
        {text.noAddress(others.slice(0, 3).join(' '))}
      </p>
    </form>
  )
}
