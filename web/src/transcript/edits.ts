// Corrections of a transcript: what the server answers put into what is known, and the steps back and
// forth. Every correction is a revision on the server; undoing one restores the revision before it.
import type { Edited, Segment, Segments } from '../api/types'

/** What is known, with the answer to an edit in it. An older answer than what is known changes nothing. */
export function applyEdit(data: Segments, edited: Edited): Segments {
  if (data.task_id !== edited.task_id || (data.newest_revision ?? 0) > edited.revision) return data
  const removed = new Set(edited.removed)
  const changed = new Map(edited.segments.map((s) => [s.id, s]))
  const kept = data.segments.filter((s) => typeof s.id !== 'number' || (!removed.has(s.id) && !changed.has(s.id)))
  const segments = [...kept, ...edited.segments]
    .sort((a, b) => a.start - b.start)
    .map((s, index): Segment => ('index' in s && s.index === index ? (s as Segment) : { ...s, index }))
  return { ...data, segments, revision: edited.revision, newest_revision: edited.revision }
}

export interface Step {
  /** The revision that undoing it restores. */
  before: number
  /** The revision that doing it again restores. */
  after: number
}

export interface History {
  undo: Step[]
  redo: Step[]
  /** The newest revision that is ours: another one means that somebody else has edited. */
  head: number
}

export const NO_HISTORY: History = { undo: [], redo: [], head: -1 }
const KEPT = 200

/**
 * An edit of ours, from what was newest before it to what is newest now. `joined`: it is one step with
 * the edit of ours before it, so that a replacement everywhere is undone at once.
 */
export function didEdit(history: History, before: number, after: number, joined = false): History {
  if (after === before) return history
  const known = history.head === before ? history.undo : []
  const last = joined ? known[known.length - 1] : undefined
  const undo = last ? [...known.slice(0, -1), { before: last.before, after }] : [...known, { before, after }]
  return { undo: undo.slice(-KEPT), redo: [], head: after }
}

export interface Change {
  segment: Segment
  text: string
}

/**
 * Makes the changes one after the other, each where the segment still says what it was made from; gives
 * those that were made. `set` says whether it is saved; the first that is not ends it.
 */
export async function replaceEach(changes: readonly Change[], newestOf: (segment: Segment) => Segment | undefined, set: (segment: Segment, text: string, joined: boolean) => Promise<boolean>): Promise<Change[]> {
  const made: Change[] = []
  for (const change of changes) {
    const now = newestOf(change.segment)
    if (!now || now.text !== change.segment.text) continue
    if (!(await set(now, change.text, made.length > 0))) break
    made.push(change)
  }
  return made
}

export const canUndo = (history: History, newest: number): boolean => history.undo.length > 0 && history.head === newest
export const canRedo = (history: History, newest: number): boolean => history.redo.length > 0 && history.head === newest

export function didUndo(history: History, now: number): History {
  const step = history.undo[history.undo.length - 1]
  return step ? { undo: history.undo.slice(0, -1), redo: [...history.redo, step], head: now } : history
}

export function didRedo(history: History, now: number): History {
  const step = history.redo[history.redo.length - 1]
  return step ? { undo: [...history.undo, step], redo: history.redo.slice(0, -1), head: now } : history
}
