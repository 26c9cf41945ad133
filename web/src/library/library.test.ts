import { describe, expect, it } from 'vitest'
import type { MediaSummary } from '../api/types'
import { featuresOf } from '../api/features'
import { rateOf } from '../uploads/store'
import { addressesOf } from './import'
import { uniqueName } from './save'
import { sorted } from './sort'

const media = (title: string, duration: number | null) => ({ title, duration_seconds: duration }) as MediaSummary

describe('the library', () => {
  it('sorts as asked', () => {
    const all = [media('talk 10', 5), media('Äpfel', null), media('talk 9', 50)]
    const titles = (order: string) => sorted(all, order, 'en').map((m) => m.title)
    expect(titles('')).toEqual(['talk 10', 'Äpfel', 'talk 9'])
    expect(titles('oldest')).toEqual(['talk 9', 'Äpfel', 'talk 10'])
    expect(titles('title')).toEqual(['Äpfel', 'talk 9', 'talk 10'])
    expect(titles('longest')).toEqual(['talk 9', 'talk 10', 'Äpfel'])
  })
  it('saves under names that every file system takes, each its own', () => {
    const taken = new Set<string>()
    expect(uniqueName('a/b: "c"', 'srt', taken)).toBe('a_b_ _c_.srt')
    expect(uniqueName('A/b: "c"', 'srt', taken)).toBe('A_b_ _c_ (2).srt')
    expect(uniqueName('..', 'txt', taken)).toBe('transcript.txt')
    expect(uniqueName('evil\u202egpj.exe', 'txt', taken)).toBe('evil_gpj.exe.txt')
  })
  it('takes web addresses and nothing else', () => {
    expect(addressesOf(' https://a.example/x.mp3\n http://b.example\tjavascript:alert(1) file:///etc/passwd nonsense')).toEqual(['https://a.example/x.mp3', 'http://b.example'])
  })
})

describe('an upload', () => {
  it('is as fast as it was in the last seconds', () => {
    expect(rateOf([])).toBe(0)
    expect(rateOf([{ at: 0, sent: 0 }])).toBe(0)
    expect(
      rateOf([
        { at: 1000, sent: 100 },
        { at: 3000, sent: 2100 },
      ]),
    ).toBe(1000)
  })
})

describe('features', () => {
  it('are what the server’s document has', () => {
    const found = featuresOf(['post /api/v1/uploads', 'get /api/v1/tasks/{}/units', 'post /api/v1/media'])
    expect(found).toMatchObject({ uploads: true, units: true, search: false, edit: false, import: false })
  })
})
