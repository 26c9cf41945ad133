// Where a segment is split: the words that the server counts. Pure.
import type { Segment } from '../api/types'
import { piecesOf } from './find-time'

// As the server's domain/text.cpp has them: Han, Kana and their punctuation, where every character may
// begin a word, and what stays with the character before it.
const WITHOUT_SPACES =
  /^[\u2E80-\u312F\u3190-\u4DBF\u4E00-\uA4CF\uF900-\uFAFF\uFE30-\uFE4F\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF9F\u{1B000}-\u{1B2FB}\u{20000}-\u{3FFFD}]/u
const CLINGS =
  /^[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF\u200D\u20D0-\u20FF\u3001\u3002\u3009\u300B\u300D\u300F\u3011\u3099-\u309C\u30FC\uFE00-\uFE0F\uFE20-\uFE2F\uFF01\uFF09\uFF0C\uFF0E\uFF1A\uFF1B\uFF1F]/u

/** Where each word of a text begins, as the server counts them where no words were recognised. */
export function wordStarts(text: string): number[] {
  const starts: number[] = []
  let before = ' '
  let at = 0
  for (const point of text) {
    if (point !== ' ' && (before === ' ' || ((WITHOUT_SPACES.test(before) || WITHOUT_SPACES.test(point)) && !CLINGS.test(point)))) starts.push(at)
    before = point
    at += point.length
  }
  return starts
}

/** The text as the server keeps it. */
export const tidy = (text: string): string => text.trim().replace(/\s+/g, ' ')

/** The place in tidy(text) of a place in the text. */
export const tidyPlace = (text: string, place: number): number => text.slice(0, place).trimStart().replace(/\s+/g, ' ').length

/**
 * The word that the second half begins with where the segment is split at a place in its text: the
 * first that begins there or later. null: a half would be empty.
 */
export function wordToSplitAt(segment: Segment, place: number): number | null {
  let next: number
  let count: number
  if (segment.words.length > 0) {
    next = 0
    count = segment.words.length
    let at = 0
    for (const piece of piecesOf(segment)) {
      if (piece.word >= 0 && at < place) next = piece.word + 1
      at += piece.text.length
    }
  } else {
    const starts = wordStarts(segment.text)
    next = starts.filter((start) => start < place).length
    count = starts.length
  }
  return next > 0 && next < count ? next : null
}
