import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { readClock, watchClock } from './clock'

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => vi.useRealTimers())

it('tells all of them the same time, with one timer', () => {
  const seen: string[] = []
  const leave = watchClock(() => seen.push(`a ${readClock()}`))
  vi.advanceTimersByTime(400)
  const other = watchClock(() => seen.push(`b ${readClock()}`))
  expect(readClock(), 'a newcomer does not move it').toBe(1_000_000)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(1000)
  expect(seen).toEqual(['a 1001000', 'b 1001000'])
  leave()
  vi.advanceTimersByTime(1000)
  expect(seen.slice(2)).toEqual(['b 1002000'])
  other()
  expect(vi.getTimerCount(), 'nobody looks').toBe(0)
})

it('is right at once when it is looked at again', () => {
  watchClock(() => {})()
  const before = readClock()
  vi.advanceTimersByTime(60_000)
  expect(readClock()).toBe(before + 60_000)
  vi.advanceTimersByTime(500)
  expect(readClock(), 'within a second it stands: what is drawn twice is the same').toBe(before + 60_000)
  vi.advanceTimersByTime(86_400_000)
  const leave = watchClock(() => {})
  expect(readClock()).toBe(before + 86_460_500)
  leave()
})
