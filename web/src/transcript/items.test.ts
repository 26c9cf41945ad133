import { describe, expect, it } from 'vitest'
import type { Segment, Unit } from '../api/types'
import { en } from '../text/en'
import { zh } from '../text/zh'
import { gapReason, itemsOf, withItem } from './items'

const gap = { start: 30, end: 60, reason: 'The worker was killed.' }

describe('the list of a transcript', () => {
  it('has the gaps where they are', () => {
    const segments = [0, 70].map((start): Segment => ({ index: 0, start, end: start + 5, text: '', confidence: 1, speaker: null, words: [] }))
    const items = itemsOf({ media_id: 'm', task_id: 't', status: 'partial_failure', complete: true, segments, gaps: [gap] })
    expect(items.map((i) => i.kind)).toEqual(['segment', 'gap', 'segment'])
  })
  it('keeps what is edited in the document', () => {
    expect(withItem([4, 5, 6], 40)).toEqual([4, 5, 6, 40])
    expect(withItem([4, 5, 6], 1)).toEqual([1, 4, 5, 6])
    const shown = [4, 5, 6]
    expect(withItem(shown, 5)).toBe(shown)
    expect(withItem(shown, -1)).toBe(shown)
  })
  it('says why a part is missing in the language of the page', () => {
    const chunk = { step: 'transcribe', status: 'failed', start: 29.5, end: 60, error: { class: 'crash', code: 'worker_killed', message: gap.reason } } as Unit
    expect(gapReason(gap, [chunk], en)).toBe(gap.reason)
    expect(gapReason(gap, [chunk], zh)).not.toMatch(/[A-Za-z]/)
    expect(gapReason(gap, [], en)).toBe(gap.reason)
    expect(gapReason(gap, [], zh)).not.toMatch(/[A-Za-z]/)
  })
})
