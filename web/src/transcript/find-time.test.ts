import { describe, expect, it } from 'vitest'
import type { Segment } from '../api/types'
import { piecesOf, segmentAt, wordAt } from './find-time'

const words = (...list: [number, number, string][]) => list.map(([start, end, text]) => ({ start, end, text, confidence: 1 }))
const segment = (start: number, text: string, list: Segment['words'] = []): Segment => ({ index: 0, start, end: start + 5, text, confidence: 1, speaker: null, words: list })

describe('what is spoken at a time', () => {
  const all = [segment(1, 'a'), segment(6, 'b'), segment(20, 'c')]
  it('is the last segment that has begun', () => {
    expect([0, 1, 5.9, 6, 19, 20, 1000].map((t) => segmentAt(all, t))).toEqual([-1, 0, 0, 1, 1, 2, 2])
    expect(segmentAt([], 3)).toBe(-1)
  })
  it('is the last word that has begun, and none in a long pause', () => {
    const s = segment(1, 'one two', words([1, 1.4, 'one'], [2.5, 3, 'two']))
    expect([0.5, 1, 1.9, 2.2, 2.5, 3.5, 3.7].map((t) => wordAt(s, t))).toEqual([-1, 0, 0, -1, 1, 1, -1])
  })
})

describe('a text in pieces', () => {
  it('is the text, whatever its words are', () => {
    const s = segment(0, 'Hello, <b>big</b> world!', words([0, 1, 'hello'], [1, 2, 'big'], [2, 3, 'world']))
    const pieces = piecesOf(s)
    expect(pieces.map((p) => p.text).join('')).toBe(s.text)
    expect(pieces.filter((p) => p.word >= 0).map((p) => p.text)).toEqual(['big', 'world'])
  })
  it('has no words where the text was changed', () => {
    const s = segment(0, 'Something else', words([0, 1, 'hello'], [1, 2, 'there']))
    expect(piecesOf(s)).toEqual([{ text: 'Something else', word: -1 }])
  })
})
