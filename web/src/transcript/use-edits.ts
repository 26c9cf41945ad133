// Corrections sent to the server, and the steps back and forth. What is shown is what was answered.
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useMemo, useRef, useState } from 'react'
import { api, ApiError, mediaPath } from '../api/client'
import type { Edited, Segment, Segments } from '../api/types'
import { keys } from '../live/apply'
import { reason } from '../media/actions'
import { useText } from '../text'
import { useNotices } from '../ui/notices'
import { applyEdit, canRedo, canUndo, type Change, didEdit, didRedo, didUndo, type History, NO_HISTORY, replaceEach } from './edits'

export type Saving = '' | 'saving' | 'saved' | 'failed'

export interface Edits {
  saving: Saving
  canUndo: boolean
  canRedo: boolean
  /**
   * 'conflict': somebody else has changed it; 'away': the server cannot be reached, or takes nothing just
   * now; 'failed': it was refused, which was said. `segment` is what is newest, if it is still there.
   */
  setText(segment: Segment, text: string): Promise<{ kind: 'saved' | 'conflict' | 'away' | 'failed'; segment: Segment | undefined }>
  split(segment: Segment, word: number): Promise<boolean>
  /** With the one that follows. */
  merge(segment: Segment): Promise<boolean>
  setSpeaker(segment: Segment, name: string | null): Promise<boolean>
  renameSpeaker(from: string, to: string): Promise<boolean>
  /** As one step; gives those that were made. */
  replaceAll(changes: Change[]): Promise<Change[]>
  undo(): Promise<void>
  redo(): Promise<void>
}

export function useEdits(media: string, data: Segments | null): Edits {
  const client = useQueryClient()
  const text = useText()
  const { show } = useNotices()
  const [history, setHistory] = useState<History>(NO_HISTORY)
  const historyNow = useRef(history)
  const change = useCallback((next: History) => {
    historyNow.current = next
    setHistory(next)
  }, [])
  const [saving, setSaving] = useState<Saving>('')
  const key = keys.segments(media)
  const newest = data?.newest_revision ?? 0

  // One after the other: each builds on the answer of the one before.
  const queue = useRef<Promise<unknown>>(Promise.resolve())
  const send = useCallback(
    (path: string, method: 'POST' | 'PATCH', body: unknown, tag: ((known: Segments) => string) | null): Promise<Edited> => {
      const run = async (): Promise<Edited> => {
        const known = client.getQueryData<Segments | null>(key)
        if (!known) throw new ApiError(0, 'gone', text.loadFailed)
        setSaving('saving')
        const edited = await api<Edited>(`${mediaPath(media)}${path}?task_id=${known.task_id}`, {
          method,
          body,
          headers: tag ? { 'If-Match': tag(known) } : {},
        })
        client.setQueryData<Segments | null>(key, (now) => (now ? applyEdit(now, edited) : now))
        setSaving('saved')
        return edited
      }
      const next = queue.current.then(run, run)
      queue.current = next.catch(() => {})
      return next
    },
    [client, media, text],
  )

  // A step back or forth waits for what is on its way, and is chosen by what is known then.
  const stepQueue = useRef<Promise<unknown>>(Promise.resolve())
  const inTurn = useCallback((run: () => Promise<void>): Promise<void> => {
    const next = stepQueue.current.then(() => queue.current).then(run)
    stepQueue.current = next.catch(() => {})
    return next
  }, [])

  return useMemo<Edits>(() => {
    const newestNow = () => client.getQueryData<Segments | null>(key)?.newest_revision ?? 0
    // The revision before ours, which is newer than what was known where somebody else has edited.
    const did = (edited: Edited, joined = false) => {
      if (edited.edited) change(didEdit(historyNow.current, edited.revision - 1, edited.revision, joined))
    }
    const failed = (error: unknown): false => {
      setSaving('failed')
      const conflict = error instanceof ApiError && error.status === 412
      show({ text: conflict ? text.changedElsewhere : reason(error), tone: 'bad' })
      if (conflict) void client.invalidateQueries({ queryKey: key })
      return false
    }
    const whole = (known: Segments) => `"${known.task_id}.${known.newest_revision ?? 0}"`
    const edit = async (path: string, method: 'POST' | 'PATCH', body: unknown): Promise<boolean> => {
      try {
        did(await send(path, method, body, whole))
        return true
      } catch (error) {
        return failed(error)
      }
    }
    const newestOf = (segment: Segment) => client.getQueryData<Segments | null>(key)?.segments.find((s) => s.id === segment.id)
    const setTextAs = async (segment: Segment, value: string, joined: boolean): ReturnType<Edits['setText']> => {
      try {
        did(await send(`/segments/${segment.id}`, 'PATCH', { text: value }, (known) => `"${known.task_id}.${segment.id}.${segment.revision ?? 0}"`), joined)
        return { kind: 'saved', segment: newestOf(segment) }
      } catch (error) {
        const status = error instanceof ApiError ? error.status : -1
        if (status === 412 || status === 404) {
          await client.refetchQueries({ queryKey: key })
          const now = newestOf(segment)
          // Ours, whose answer was lost.
          if (now?.text === value) {
            setSaving('saved')
            return { kind: 'saved', segment: now }
          }
          setSaving('failed')
          return { kind: 'conflict', segment: now }
        }
        setSaving('failed')
        if (status === 0 || status === 503) return { kind: 'away', segment: undefined }
        failed(error)
        return { kind: 'failed', segment: undefined }
      }
    }
    const setText: Edits['setText'] = (segment, value) => setTextAs(segment, value, false)
    const restore = async (to: number): Promise<number | null> => {
      try {
        return (await send(`/revisions/${to}/restore`, 'POST', undefined, whole)).revision
      } catch (error) {
        failed(error)
        return null
      }
    }
    return {
      saving,
      canUndo: canUndo(history, newest),
      canRedo: canRedo(history, newest),
      setText,
      split: (segment, word) => edit(`/segments/${segment.id}/split`, 'POST', { word }),
      merge: (segment) => edit(`/segments/${segment.id}/merge`, 'POST', undefined),
      setSpeaker: (segment, name) => edit(`/segments/${segment.id}`, 'PATCH', { speaker: name }),
      renameSpeaker: (from, to) => edit(`/speakers/${encodeURIComponent(from)}`, 'PATCH', { name: to }),
      replaceAll: (changes) =>
        replaceEach(changes, newestOf, async (segment, value, joined) => {
          const { kind } = await setTextAs(segment, value, joined)
          if (kind === 'conflict') show({ text: text.changedElsewhere, tone: 'bad' })
          if (kind === 'away') show({ text: text.unreachable, tone: 'bad' })
          return kind === 'saved'
        }),
      undo: () =>
        inTurn(async () => {
          const step = historyNow.current.undo[historyNow.current.undo.length - 1]
          if (!step || !canUndo(historyNow.current, newestNow())) return
          const now = await restore(step.before)
          if (now !== null) change(didUndo(historyNow.current, now))
        }),
      redo: () =>
        inTurn(async () => {
          const step = historyNow.current.redo[historyNow.current.redo.length - 1]
          if (!step || !canRedo(historyNow.current, newestNow())) return
          const now = await restore(step.after)
          if (now !== null) change(didRedo(historyNow.current, now))
        }),
    }
  }, [client, send, inTurn, show, text, history, newest, saving, change, media])
}
