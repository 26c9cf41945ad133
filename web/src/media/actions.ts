// What can be done with recordings. Each answer comes after its events were handed to this window, so
// nothing is changed here by guess, but that a cancel was asked for; a failure is said.
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api, ApiError, apiOnce, mediaPath, taskPath } from '../api/client'
import { isActive, type Queue, type Status } from '../api/types'
import { forgetMedia, keys } from '../live/apply'
import { useText } from '../text'
import { useNotices } from '../ui/notices'

/** The bounds of a task's priority. */
export const PRIORITY = { least: -100, most: 100 }

export interface Actions {
  cancel(task: string): Promise<void>
  retry(task: string): Promise<void>
  again(media: string, options?: Record<string, unknown>): Promise<void>
  remove(media: string): Promise<void>
  /** Only where its title is still the one that `tag` stands for. */
  rename(media: string, title: string, tag: string | null): Promise<void>
  setPaused(paused: boolean): Promise<void>
  setPriority(task: string, priority: number): Promise<void>
  /** Before all that wait, as far as priorities go. */
  serveNext(task: string): Promise<void>
  /** Runs one of these and says where it failed. */
  attempt(run: () => Promise<void>): Promise<boolean>
}

export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function useActions(): Actions {
  const client = useQueryClient()
  const { show } = useNotices()
  const text = useText()
  return useMemo<Actions>(() => {
    const ask = (path: string, method: 'POST' | 'PATCH' | 'DELETE', body?: unknown) => api<unknown>(path, { method, body })
    return {
      async cancel(task) {
        // Said at once: what stops soon would be seen to have stopped, and not to be asked to.
        const its = client.getQueryCache().findAll({ queryKey: keys.statuses, predicate: (query) => (query.state.data as Status | undefined)?.task_id === task })
        for (const { queryKey } of its) {
          client.setQueryData<Status>(queryKey, (status) => status && (isActive(status.status) ? { ...status, cancel_requested: true } : status))
        }
        try {
          await ask(`${taskPath(task)}/cancel`, 'POST')
        } catch (error) {
          for (const { queryKey } of its) void client.invalidateQueries({ queryKey })
          throw error
        }
      },
      async retry(task) {
        await apiOnce(`${taskPath(task)}/retry`)
      },
      async again(media, options) {
        await apiOnce(`${mediaPath(media)}/reprocess`, options)
      },
      async remove(media) {
        try {
          await ask(mediaPath(media), 'DELETE')
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) throw error
        }
        forgetMedia(client, media)
      },
      async rename(media, title, tag) {
        try {
          await api<unknown>(mediaPath(media), { method: 'PATCH', body: { title }, headers: tag ? { 'If-Match': tag } : {} })
        } catch (error) {
          if (error instanceof ApiError && error.status === 412) throw new Error(text.renamedElsewhere)
          throw error
        }
        await client.invalidateQueries({ queryKey: keys.media(media) })
      },
      async setPaused(paused) {
        await ask(`/api/v1/queue/${paused ? 'pause' : 'resume'}`, 'POST')
        client.setQueryData(keys.paused, paused)
      },
      async setPriority(task, priority) {
        await ask(taskPath(task), 'PATCH', { priority })
        await client.invalidateQueries({ queryKey: keys.queue })
      },
      async serveNext(task) {
        const { waiting } = await api<Queue>('/api/v1/queue?limit=1')
        const others = waiting.filter((entry) => entry.task_id !== task).map((entry) => entry.priority)
        await this.setPriority(task, Math.min(PRIORITY.most, Math.max(0, ...others.map((p) => p + 1))))
      },
      async attempt(run) {
        try {
          await run()
          return true
        } catch (error) {
          show({ text: error instanceof ApiError && error.status === 0 ? text.unreachable : reason(error), tone: 'bad' })
          return false
        }
      },
    }
  }, [client, show, text])
}
