import { describe, expect, it } from 'vitest'
import { type Draft, Drafts, fateOf } from './drafts'

function keeper(begin: Record<string, string> = {}) {
  const held = new Map(Object.entries(begin))
  return { held, getItem: (k: string) => held.get(k) ?? null, setItem: (k: string, v: string) => void held.set(k, v), removeItem: (k: string) => void held.delete(k) }
}
const draft = (id: number, text: string): Draft => ({ id, text, base: 'before' })

describe('what is not saved yet', () => {
  it('is kept by segment, and is there after a reload', () => {
    const kept = keeper()
    const drafts = new Drafts(kept, 'task')
    let told = 0
    drafts.subscribe(() => ++told)
    drafts.set(draft(1, 'a'))
    drafts.set(draft(2, 'b'))
    drafts.set(draft(1, 'aa'))
    expect(told).toBe(3)
    const again = new Drafts(kept, 'task')
    expect(again.get(1)?.text).toBe('aa')
    expect(again.all()).toHaveLength(2)
    expect(new Drafts(kept, 'other task').all()).toEqual([])
  })
  it('is forgotten once it is saved, but not what was typed since', () => {
    const kept = keeper()
    const drafts = new Drafts(kept, 'task')
    drafts.set(draft(1, 'typed since'))
    drafts.remove(1, 'saved')
    expect(drafts.get(1)?.text).toBe('typed since')
    const known = drafts.all()
    drafts.remove(7)
    expect(drafts.all()).toBe(known)
    drafts.remove(1, 'typed since')
    expect(drafts.all()).toEqual([])
    expect(kept.held.size).toBe(0)
  })
  it('is kept in memory where there is no room elsewhere, and garbage is no draft', () => {
    const full = keeper({ task: '[{"id":1},null,5]' })
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
    const drafts = new Drafts(full, 'task')
    expect(drafts.all()).toEqual([])
    drafts.set(draft(1, 'a'))
    expect(drafts.get(1)?.text).toBe('a')
    expect(new Drafts(keeper({ task: '{' }), 'task').all()).toEqual([])
  })
  it('is saved over what it was typed over, and over nothing else', () => {
    const mine = draft(1, 'mine')
    expect(fateOf(mine, { text: 'before' })).toBe('save')
    expect(fateOf(mine, { text: 'theirs' })).toBe('conflict')
    // It was saved, and the answer was lost with the server.
    expect(fateOf(mine, { text: 'mine' })).toBe('done')
    expect(fateOf(mine, undefined)).toBe('gone')
  })
})
