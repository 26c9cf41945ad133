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

/** How text is looked for. */
export interface Wanted {
  query: string
  matchCase: boolean
  /** Not within a word: what a word is, is as Unicode has it, in Chinese by a dictionary. */
  wholeWords: boolean
}

/** Older browsers have none: a word is a run of letters there, also in Chinese. */
const words = 'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'word' }) : null

/** The places in the text where a word begins or ends. */
function edgesOf(text: string): ReadonlySet<number> {
  const pieces = words ? words.segment(text) : text.matchAll(/[\p{L}\p{N}\p{M}_]+|./gsu)
  const edges = new Set([text.length])
  for (const { index } of pieces) edges.add(index)
  return edges
}

export function findIn(text: string, { query, matchCase, wholeWords }: Wanted): { start: number; end: number }[] {
  if (query === '') return []
  const hay = matchCase ? { text, at: null } : folded(text)
  const needle = matchCase ? query : folded(query).text
  const found: { start: number; end: number }[] = []
  let edges: ReadonlySet<number> | null = null
  for (let i = hay.text.indexOf(needle); i >= 0; ) {
    const start = hay.at ? (hay.at[i] ?? 0) : i
    const end = hay.at ? (hay.at[i + needle.length] ?? text.length) : i + needle.length
    if (wholeWords) edges ??= edgesOf(text)
    const taken = !edges || (edges.has(start) && edges.has(end))
    if (taken) found.push({ start, end })
    i = hay.text.indexOf(needle, i + (taken ? needle.length : 1))
  }
  return found
}

export function findAll(segments: readonly Segment[], wanted: Wanted): Match[] {
  return segments.flatMap((s, segment) => findIn(s.text, wanted).map((m) => ({ segment, ...m })))
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
