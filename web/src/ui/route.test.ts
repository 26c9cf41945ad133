import { describe, expect, it } from 'vitest'
import { parseRoute, routeHash } from './route'

const id = '0191f0c4-7d2a-7c3e-9a51-2b7f3c9d1e10'

describe('addresses', () => {
  it('come back as they were written', () => {
    for (const hash of ['#/', '#/queue', '#/system', `#/media/${id}`, `#/media/${id}?t=12.5`, '#/?q=a+b%26c&status=failed&sort=title']) {
      expect(routeHash(parseRoute(hash))).toBe(hash)
    }
  })
  it('that make no sense are the library', () => {
    for (const hash of ['', '#', '#/media/x', '#/media/../../api', '#/nothing', '#javascript:alert(1)']) {
      expect(parseRoute(hash).view).toBe('library')
    }
    expect(parseRoute(`#/media/${id}?t=evil`)).toEqual({ view: 'media', id, at: null })
  })
})
