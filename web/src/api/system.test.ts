import { afterEach, expect, it, vi } from 'vitest'
import { setCurrentText } from '../text/current'
import { en } from '../text/en'
import { zh } from '../text/zh'
import { ApiError } from './client'
import { askReady } from './system'

afterEach(() => {
  vi.unstubAllGlobals()
  setCurrentText(en)
})

it('says in the language of the reader that the server cannot be reached', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
  setCurrentText(zh)
  const error = await askReady(new AbortController().signal).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({ status: 0, message: zh.unreachable })
})
