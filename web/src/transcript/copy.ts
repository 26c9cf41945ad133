import type { Segment } from '../api/types'
import { clock } from '../text/format'

/** The transcript as text: a paragraph a segment, the speaker where it changes, with or without times. */
export function transcriptText(segments: readonly Segment[], times: boolean): string {
  let speaker: string | null = null
  return segments
    .map((s) => {
      const named = s.speaker && s.speaker !== speaker ? `${s.speaker}: ` : ''
      speaker = s.speaker
      return `${times ? `[${clock(s.start)}] ` : ''}${named}${s.text}`
    })
    .join('\n')
}

export async function copyText(value: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(value)
  // Over plain HTTP from another machine there is no clipboard for pages.
  const area = document.createElement('textarea')
  area.value = value
  area.setAttribute('readonly', '')
  area.className = 'sr-only'
  // Outside of a dialog that is open nothing can be selected.
  const before = document.activeElement
  const place = [...document.querySelectorAll('dialog[open]')].pop() ?? document.body
  place.append(area)
  area.select()
  const copied = document.activeElement === area && document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus({ preventScroll: true })
  if (!copied) throw new Error('copy')
}
