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

/** Whether the recogniser was unsure of a word of the segment. */
export const isUnsure = (segment: Segment, word: number): boolean => (segment.words[word]?.confidence ?? 1) < UNSURE_BELOW

/** The words in the text that it was unsure of, in order. */
export const unsureWords = (segment: Segment): string[] =>
  segment.words.some((w) => w.confidence < UNSURE_BELOW) ? piecesOf(segment).flatMap((p) => (p.word >= 0 && isUnsure(segment, p.word) ? [p.text] : [])) : []

export interface Place {
  /** Place of the segment in the list. */
  segment: number
  word: number
}

/** The next word, or the one before, that it was unsure of; round from the end to the beginning. */
export function nextUnsure(segments: readonly Segment[], from: Place, by: 1 | -1): Place | null {
  const count = segments.length
  for (let step = 0; step <= count; ++step) {
    const index = (((from.segment + by * step) % count) + count) % count
    const segment = segments[index]
    if (!segment) return null
    const words = piecesOf(segment).flatMap((p) => (p.word >= 0 && isUnsure(segment, p.word) ? [p.word] : []))
    const here = step === 0 ? words.filter((w) => (by > 0 ? w > from.word : w < from.word)) : words
    const word = by > 0 ? here[0] : here[here.length - 1]
    if (word !== undefined) return { segment: index, word }
  }
  return null
}
