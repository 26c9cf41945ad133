import { expect, it } from 'vitest'
import { aheadOf } from './clock'

it('takes the time of the server from its answers', () => {
  const date = 'Sun, 29 Nov 2026 10:00:00 GMT'
  const at = Date.parse(date)
  expect(aheadOf(date, at + 700), 'about the same').toBe(0)
  expect(aheadOf(date, at - 3_600_000)).toBe(3_600_500)
  expect(aheadOf(date, at + 3_600_000)).toBe(-3_599_500)
  expect(aheadOf(null, at)).toBeNull()
  expect(aheadOf('soon', at)).toBeNull()
})
