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

/** Which word of the text begins at or after a place in it; for a split there. */
export function wordIndexAt(text: string, place: number): number {
  return text.slice(0, place).split(/\s+/u).filter(Boolean).length
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

/** An edit of ours, from what was newest before it to what is newest now. */
export function didEdit(history: History, before: number, after: number): History {
  if (after === before) return history
  const known = history.head === before ? history.undo : []
  return { undo: [...known, { before, after }].slice(-KEPT), redo: [], head: after }
}

/** Several edits become one step: a replacement everywhere is undone at once. */
export function joinSteps(history: History, count: number): History {
  if (count < 2) return history
  const joined = history.undo.slice(-count)
  const first = joined[0]
  const last = joined[joined.length - 1]
  if (!first || !last || joined.length < count) return history
  return { ...history, undo: [...history.undo.slice(0, -count), { before: first.before, after: last.after }] }
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
