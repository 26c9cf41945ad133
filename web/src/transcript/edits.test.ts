import { describe, expect, it } from 'vitest'
import type { Segment, Segments } from '../api/types'
import { markedPieces } from '../library/search'
import { transcriptText } from './copy'
import { applyEdit, canRedo, canUndo, didEdit, didRedo, didUndo, NO_HISTORY, replaceEach } from './edits'
import { findAll, findIn, replaceIn } from './find'

const segment = (id: number, start: number, text: string, speaker: string | null = null): Segment => ({
  id,
  index: 0,
  revision: 0,
  start,
  end: start + 1,
  text,
  confidence: 1,
  speaker,
  words: [],
})
const transcript = (...segments: Segment[]): Segments => ({
  media_id: 'm',
  task_id: 't',
  status: 'completed',
  complete: true,
  segments: segments.map((s, index) => ({ ...s, index })),
  gaps: [],
  revision: 3,
  newest_revision: 3,
})
const edited = (revision: number, segments: Segment[], removed: number[] = []) => ({ media_id: 'm', task_id: 't', revision, edited: true, segments, removed })

describe('the answer to an edit', () => {
  const known = transcript(segment(1, 0, 'one'), segment(2, 5, 'two'), segment(3, 9, 'three'))
  it('takes the place of what it changed, and leaves the rest as it is', () => {
    const now = applyEdit(known, edited(4, [{ ...segment(2, 5, 'TWO'), revision: 4 }]))
    expect(now.segments.map((s) => s.text)).toEqual(['one', 'TWO', 'three'])
    expect(now.segments[0]).toBe(known.segments[0])
    expect(now.newest_revision).toBe(4)
  })
  it('of a split comes in at its time', () => {
    const now = applyEdit(known, edited(4, [segment(2, 5, 'tw'), segment(9, 5.5, 'o')]))
    expect(now.segments.map((s) => [s.id, s.index])).toEqual([
      [1, 0],
      [2, 1],
      [9, 2],
      [3, 3],
    ])
  })
  it('of a merge takes the second away', () => {
    const now = applyEdit(known, edited(4, [segment(1, 0, 'one two')], [2]))
    expect(now.segments.map((s) => s.text)).toEqual(['one two', 'three'])
  })
  it('that is older than what is known, or of another task, changes nothing', () => {
    expect(applyEdit(known, edited(2, [segment(1, 0, 'old')]))).toBe(known)
    expect(applyEdit(known, { ...edited(9, [segment(1, 0, 'x')]), task_id: 'other' })).toBe(known)
  })
})

describe('steps back and forth', () => {
  it('follow each other', () => {
    let h = didEdit(NO_HISTORY, 3, 4)
    h = didEdit(h, 4, 5)
    expect(canUndo(h, 5)).toBe(true)
    expect(h.undo[h.undo.length - 1]?.before).toBe(4)
    h = didUndo(h, 6)
    expect(canUndo(h, 6)).toBe(true)
    expect(canRedo(h, 6)).toBe(true)
    h = didUndo(h, 7)
    expect(canUndo(h, 7)).toBe(false)
    h = didRedo(h, 8)
    expect(h.undo).toEqual([{ before: 3, after: 4 }])
    h = didEdit(h, 8, 9)
    expect(canRedo(h, 9)).toBe(false)
  })
  it('end where somebody else has edited', () => {
    const h = didEdit(NO_HISTORY, 3, 4)
    expect(canUndo(h, 5)).toBe(false)
    expect(didEdit(h, 5, 6).undo).toEqual([{ before: 5, after: 6 }])
  })
  it('of a replacement everywhere are one, however many places there are', () => {
    let h = didEdit(NO_HISTORY, 1, 2)
    for (let r = 2; r < 302; ++r) h = didEdit(h, r, r + 1, r > 2)
    expect(h.undo).toEqual([
      { before: 1, after: 2 },
      { before: 2, after: 302 },
    ])
    expect(canUndo(h, 302)).toBe(true)
    expect(didEdit(h, 302, 302)).toBe(h)
  })
  it('of a replacement do not take back what somebody else wrote meanwhile', () => {
    let h = didEdit(NO_HISTORY, 1, 2)
    h = didEdit(h, 2, 3)
    h = didEdit(h, 4, 5, true)
    expect(h.undo).toEqual([{ before: 4, after: 5 }])
  })
})

const find = (text: string, query: string, matchCase: boolean, wholeWords = false) => findIn(text, { query, matchCase, wholeWords })

describe('find and replace', () => {
  it('looks for text, not for a pattern', () => {
    expect(find('a.c abc a.c', 'a.c', true)).toEqual([
      { start: 0, end: 3 },
      { start: 8, end: 11 },
    ])
    expect(find('(*', '(*', false)).toHaveLength(1)
    expect(find('anything', '', false)).toEqual([])
  })
  it('makes no difference of case unless it is asked to', () => {
    expect(find('The THE the', 'the', false)).toHaveLength(3)
    expect(find('The THE the', 'the', true)).toEqual([{ start: 8, end: 11 }])
  })
  it('is right where lower case is longer', () => {
    const text = 'İstanbul istanbul'
    for (const m of find(text, 'istanbul', false)) expect(text.slice(m.start, m.end).toLowerCase()).toContain('stanbul')
    expect(find('İx', 'x', false)).toEqual([{ start: 1, end: 2 }])
  })
  it('replaces each place once', () => {
    const all = [segment(1, 0, 'aa b aa'), segment(2, 1, 'aaa')]
    const found = findAll(all, { query: 'aa', matchCase: false, wholeWords: false })
    expect(found.map((m) => m.segment)).toEqual([0, 0, 1])
    expect(replaceIn('aa b aa', find('aa b aa', 'aa', false), '$&x')).toBe('$&x b $&x')
  })
  it('finds whole words alone where that is wanted', () => {
    const places = (text: string, query: string) => find(text, query, false, true).map((m) => m.start)
    expect(places('The theatre, the other', 'the')).toEqual([0, 13])
    expect(places('a cat, cat-like; concat', 'cat')).toEqual([2, 7])
    expect(places('He said "stop".', 'stop')).toEqual([9])
    expect(places('I don’t don', 'don')).toEqual([8])
    expect(places('one two onetwo one two', 'one two')).toEqual([0, 15])
    // Letters with marks are letters, in whichever way they are written.
    expect(places('café caf', 'caf')).toEqual([5])
    expect(places('cafe\u0301 cafe', 'cafe')).toEqual([6])
    expect(places('Ärger ärgern', 'ärger')).toEqual([0])
    expect(places('привет приветствие', 'привет')).toEqual([0])
    expect(places('مرحبا مرحبابك', 'مرحبا')).toEqual([0])
    // 今天 | 天气 | 很 | 好: 天天 is in none of them.
    expect(places('今天天气很好', '天气')).toEqual([2])
    expect(places('今天天气很好', '天天')).toEqual([])
    expect(find('今天天气很好', '天天', false)).toHaveLength(1)
  })
  it('goes on within what was no whole word', () => {
    expect(find('aaa a aa', 'aa', true, true)).toEqual([{ start: 6, end: 8 }])
    expect(find('x-xx-x x-x', 'x-x', true, true)).toEqual([{ start: 7, end: 10 }])
  })
  it('leaves what was changed meanwhile, and tells what it did', async () => {
    const all = [segment(1, 0, 'a'), segment(2, 1, 'a a'), segment(3, 2, 'a a a'), segment(4, 3, 'a a a a')]
    const set: [number | null | undefined, boolean][] = []
    const changes = all.map((s) => ({ segment: s, text: 'b' }))
    const made = await replaceEach(
      changes,
      (s) => (s.id === 1 ? { ...s, text: 'theirs' } : s),
      async (s, _, joined) => {
        set.push([s.id, joined])
        return s.id !== 4
      },
    )
    expect(set).toEqual([
      [2, false],
      [3, true],
      [4, true],
    ])
    expect(made).toEqual([changes[1], changes[2]])
  })
})

describe('words and text', () => {
  it('is copied with times and speakers', () => {
    const all = [segment(1, 0, 'Hello.', 'Ann'), segment(2, 65, 'Yes.', 'Ann'), segment(3, 70, 'No.', 'Ben')]
    expect(transcriptText(all, true)).toBe('[0:00] Ann: Hello.\n[1:05] Yes.\n[1:10] Ben: No.')
    expect(transcriptText(all, false)).toBe('Ann: Hello.\nYes.\nBen: No.')
  })
  it('what was found is marked by its places, also behind what takes two', () => {
    expect(markedPieces('a 😀 word here', [{ start: 5, end: 9 }])).toEqual(['a 😀 ', 'word', ' here'])
    expect(markedPieces('<b>x</b>', [])).toEqual(['<b>x</b>'])
  })
})
