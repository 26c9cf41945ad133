import { describe, expect, it } from 'vitest'
import { featuresOf } from '../api/features'
import { rateOf } from '../uploads/store'
import { addressesOf, othersOf } from './import'
import { hasWords } from '../media/export'
import { uniqueName } from './save'
import { libraryKey, libraryQuery } from '../live/library'

describe('the library', () => {
  it('asks the server for its orders, and for none while it searches', () => {
    const query = (sort: string, search = '') => libraryQuery({ status: 'failed', search, sort }, null).toString()
    expect(query('')).toBe('limit=100&status=failed')
    expect(query('oldest')).toBe('limit=100&status=failed&sort=created&order=asc')
    expect(query('title')).toBe('limit=100&status=failed&sort=title&order=asc')
    expect(query('longest')).toBe('limit=100&status=failed&sort=duration&order=desc')
    expect(query('longest', 'a b')).toBe('limit=100&status=failed&search=a+b')
    expect(libraryQuery({ status: 'retrying', search: '', sort: '' }, 'next').toString()).toBe('limit=100&status=retrying&cursor=next')
    expect(query('constructor')).toBe('limit=100&status=failed')
  })
  it('keeps what is chosen apart from what comes newest first', () => {
    expect(libraryKey({ status: '', search: '', sort: '' })).toEqual(['library', 'all'])
    expect(libraryKey({ status: 'retrying', search: '', sort: '' })).toEqual(['library', 'some', 'status=retrying'])
    expect(libraryKey({ status: '', search: '', sort: 'title' })).toEqual(['library', 'some', 'sort=title&order=asc'])
    expect(libraryKey({ status: '', search: 'a', sort: 'title' })).toEqual(['library', 'some', 'search=a'])
  })
  it('saves under names that every file system takes, each its own', () => {
    const taken = new Set<string>()
    expect(uniqueName('a/b: "c"', 'srt', taken)).toBe('a_b_ _c_.srt')
    expect(uniqueName('A/b: "c"', 'srt', taken)).toBe('A_b_ _c_ (2).srt')
    expect(uniqueName('..', 'txt', taken)).toBe('transcript.txt')
    expect(uniqueName('evil\u202egpj.exe', 'txt', taken)).toBe('evil_gpj.exe.txt')
  })
  it('knows a transcript without a word', () => {
    expect(hasWords('srt', '\n')).toBe(false)
    expect(hasWords('srt', '1\n00:00:00,000 --> 00:00:01,000\nx\n')).toBe(true)
    expect(hasWords('vtt', 'WEBVTT\n\n')).toBe(false)
    expect(hasWords('vtt', 'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nx\n')).toBe(true)
    expect(hasWords('txt', '')).toBe(false)
    expect(hasWords('txt', 'x')).toBe(true)
    expect(hasWords('json', '{"segments": []}')).toBe(false)
    expect(hasWords('json', '{"segments": [{}]}')).toBe(true)
  })
  it('takes web addresses and nothing else', () => {
    const typed = ' https://a.example/x.mp3\n http://b.example\tjavascript:alert(1) file:///etc/passwd nonsense'
    expect(addressesOf(typed)).toEqual(['https://a.example/x.mp3', 'http://b.example'])
    expect(othersOf(typed)).toEqual(['javascript:alert(1)', 'file:///etc/passwd', 'nonsense'])
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
