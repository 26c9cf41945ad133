import { describe, expect, it } from 'vitest'
import { en } from './en'
import { bytes, clock, leftOf, parseSeconds, when } from './format'
import { tongueOf } from './index'
import { zh } from './zh'

function shape(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}:${typeof value}`]
  return Object.entries(value).flatMap(([k, v]) => shape(v, `${path}.${k}`))
}

describe('the languages', () => {
  it('say the same things', () => {
    expect(shape(zh).sort()).toEqual(shape(en).sort())
  })
  it('are the browser’s, unless one was chosen', () => {
    expect(tongueOf(null, ['zh-CN', 'en'])).toBe('zh')
    expect(tongueOf(null, ['de', 'zh-TW', 'en'])).toBe('zh')
    expect(tongueOf(null, ['fr'])).toBe('en')
    expect(tongueOf('en', ['zh'])).toBe('en')
    expect(tongueOf('xx', ['zh'])).toBe('zh')
  })
  it('count', () => {
    expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(en.place)).toEqual([
      'Next in line',
      '2nd in line',
      '3rd in line',
      '4th in line',
      '11th in line',
      '12th in line',
      '13th in line',
      '21st in line',
      '22nd in line',
      '101st in line',
      '111th in line',
    ])
    expect([3, 41, 58, 89, 3569, 3580, 3700, 7180, 7199].map(en.about)).toEqual(['a few seconds', '45 s', '1 min', '1 min', '59 min', '1 h', '1 h 2 min', '2 h', '2 h'])
    expect([3, 41, 58, 3580, 7180, 3700].map(zh.about)).toEqual(['几秒', '45 秒', '1 分钟', '1 小时', '2 小时', '1 小时 2 分钟'])
    expect(en.recordings(1, false)).toBe('1 recording')
  })
})

describe('numbers and times', () => {
  it('are short', () => {
    expect([0, 7.9, 754, 3723].map(clock)).toEqual(['0:00', '0:07', '12:34', '1:02:03'])
    expect([0, 999, 1500, 12_345_678, 7.3e9].map((n) => bytes(n, 'en'))).toEqual(['0 B', '999 B', '1.5 KB', '12 MB', '7.3 GB'])
    expect(parseSeconds('12.5')).toBe(12.5)
    expect(parseSeconds('1e9')).toBeNull()
    expect(parseSeconds('-1')).toBeNull()
    expect(leftOf(10, 0, 4000)).toBe(6)
    expect(leftOf(10, 0, 40_000)).toBe(0)
  })
  it('say only as much of a date as is needed', () => {
    const now = new Date(2026, 10, 28, 15, 0)
    expect(when(new Date(2026, 10, 28, 14, 5).toISOString(), 'en-GB', now)).toBe('14:05')
    expect(when(new Date(2026, 10, 3, 14, 5).toISOString(), 'en-GB', now)).toBe('3 Nov')
    expect(when(new Date(2024, 10, 3, 14, 5).toISOString(), 'en-GB', now)).toBe('3 Nov 2024')
    expect(when(new Date(2026, 11, 28, 14, 5).toISOString(), 'en-GB', now)).toBe('28 Dec')
    expect(when(new Date(2027, 10, 28, 14, 5).toISOString(), 'en-GB', now)).toBe('28 Nov 2027')
  })
})
