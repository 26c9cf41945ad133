import { describe, expect, it } from 'vitest'
import type { Segment } from '../api/types'
import { tidy, tidyPlace, wordStarts, wordToSplitAt } from './split'

const segment = (text: string, words: string[] = []): Segment => ({
  id: 1,
  index: 0,
  start: 0,
  end: 9,
  text,
  confidence: 1,
  speaker: null,
  words: words.map((w, i) => ({ start: i, end: i + 1, text: w, confidence: 1 })),
})

describe('a split', () => {
  it('begins the second half with the word at or after the cursor', () => {
    const all = segment('one two three')
    expect([0, 3, 4, 5, 7, 8, 9].map((at) => wordToSplitAt(all, at))).toEqual([null, 1, 1, 2, 2, 2, null])
    const recognised = segment('one two three', ['one', 'two', 'three'])
    expect([0, 3, 4, 5, 7, 8, 9].map((at) => wordToSplitAt(recognised, at))).toEqual([null, 1, 1, 2, 2, 2, null])
  })
  it('of Chinese is where the cursor is, with words and without', () => {
    const text = '今天天气很好，我们出去走走。'
    expect(wordToSplitAt(segment(text), 7)).toBe(6) // the comma belongs to the word before it
    expect(wordToSplitAt(segment(text), 2)).toBe(2)
    expect(wordToSplitAt(segment(text), text.length)).toBeNull()
    const words = ['今天', '天气', '很', '好，', '我们', '出去', '走走。']
    expect(wordToSplitAt(segment(text, words), 7)).toBe(4)
    expect(wordToSplitAt(segment(text, words), 4)).toBe(2)
    expect(wordToSplitAt(segment(text, words), 3)).toBe(2)
  })
  it('counts what the server counts', () => {
    expect(wordStarts('用 Python 写的OK程序')).toEqual([0, 2, 9, 10, 11, 13, 14])
    expect(wordStarts('𠀀𠀁 a')).toEqual([0, 2, 5])
    expect(wordStarts('')).toEqual([])
  })
  it('knows the words also where some are not in the text', () => {
    expect(wordToSplitAt(segment('one three four', ['one', 'two', 'three', 'four']), 4)).toBe(1)
    expect(wordToSplitAt(segment('one three four', ['one', 'two', 'three', 'four']), 9)).toBe(3)
  })
  it('is in the text as it is saved', () => {
    expect(tidy('  one   two ')).toBe('one two')
    expect(tidyPlace('  one   two ', 8)).toBe(4)
    expect(tidyPlace('  one', 1)).toBe(0)
  })
})
