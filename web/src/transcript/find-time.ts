// Which segment and word is spoken at a time. Pure.
import type { Segment } from '../api/types'

/** The index of the last segment that has begun; -1: none yet. */
export function segmentAt(segments: readonly Segment[], seconds: number): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((segments[middle]?.start ?? 0) <= seconds) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The index of the word that is spoken, or was spoken last; -1: none yet. */
export function wordAt(segment: Segment, seconds: number): number {
  let at = -1
  for (let i = 0; i < segment.words.length; ++i) {
    const word = segment.words[i]
    if (!word || word.start > seconds) break
    at = i
  }
  const last = segment.words[at]
  // A pause lights nothing.
  return last && seconds > last.end + 0.6 ? -1 : at
}

/** The text in pieces, each with its word where the words are those of the text. */
export interface Piece {
  text: string
  /** -1: between words, or of a text that was changed. */
  word: number
}

export function piecesOf(segment: Segment): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (let i = 0; i < segment.words.length; ++i) {
    const word = segment.words[i]
    if (!word) continue
    const found = segment.text.indexOf(word.text, at)
    if (found < 0 || segment.text.slice(at, found).trim().length > 12) continue
    if (found > at) pieces.push({ text: segment.text.slice(at, found), word: -1 })
    pieces.push({ text: word.text, word: i })
    at = found + word.text.length
  }
  if (at < segment.text.length) pieces.push({ text: segment.text.slice(at), word: -1 })
  return pieces
}

export const UNSURE_BELOW = 0.5
