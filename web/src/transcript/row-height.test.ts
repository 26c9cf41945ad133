import { expect, it } from 'vitest'
import { estimateHeight } from './row-height'

it('is guessed by the length of the text', () => {
  expect(estimateHeight('One line.', false, 1000)).toBe(37)
  expect(estimateHeight('', false, 1000)).toBe(37)
  expect(estimateHeight('One line.', true, 1000)).toBe(67)
  expect(estimateHeight('x'.repeat(150), false, 1000)).toBe(63)
  expect(estimateHeight('x'.repeat(150), false, 300), 'a phone').toBe(117)
  expect(estimateHeight('字'.repeat(76), false, 1000)).toBe(90)
})
