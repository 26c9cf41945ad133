// Find and replace over the segments of a transcript. Pure; what is looked for is text, never a pattern.
import type { Segment } from '../api/types'

export interface Match {
  /** Place of the segment in the list. */
  segment: number
  start: number
  end: number
}

function folded(text: string): { text: string; at: number[] } {
  // Lower case may be longer than the text; each unit knows where it came from.
  let out = ''
  const at: number[] = []
  for (let i = 0; i < text.length; ++i) {
    const low = (text[i] ?? '').toLowerCase()
    out += low
    for (let n = 0; n < low.length; ++n) at.push(i)
  }
  at.push(text.length)
  return { text: out, at }
}

export function findIn(text: string, wanted: string, matchCase: boolean): { start: number; end: number }[] {
  if (wanted === '') return []
  const hay = matchCase ? { text, at: null } : folded(text)
  const needle = matchCase ? wanted : folded(wanted).text
  const found: { start: number; end: number }[] = []
  for (let i = hay.text.indexOf(needle); i >= 0; i = hay.text.indexOf(needle, i + needle.length)) {
    const start = hay.at ? (hay.at[i] ?? 0) : i
    const end = hay.at ? (hay.at[i + needle.length] ?? text.length) : i + needle.length
    found.push({ start, end })
  }
  return found
}

export function findAll(segments: readonly Segment[], wanted: string, matchCase: boolean): Match[] {
  return segments.flatMap((s, segment) => findIn(s.text, wanted, matchCase).map((m) => ({ segment, ...m })))
}

export function replaceIn(text: string, matches: readonly { start: number; end: number }[], by: string): string {
  let out = ''
  let at = 0
  for (const m of matches) {
    out += text.slice(at, m.start) + by
    at = m.end
  }
  return out + text.slice(at)
}
