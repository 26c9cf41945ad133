import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { askReady } from '../api/system'
import { api } from '../api/client'
import type { Counts, Queue } from '../api/types'
import { keys, takeStatuses } from '../live/apply'
import { useLive } from '../live/provider'

/** How many of each kind are asked for at first, and at most: as the server allows. */
export const FIRST = 200
export const MOST = 500

export function useQueue(limit = FIRST) {
  const client = useQueryClient()
  const { refresher } = useLive()
  const query = useQuery({
    queryKey: keys.queue,
    queryFn: ({ signal }) =>
      refresher.timed(keys.queue, async () => {
        const asked = Date.now()
        const queue = await api<Queue>(`/api/v1/queue?limit=${limit}`, { signal })
        client.setQueryData<Counts>(keys.counts, queue.counts)
        client.setQueryData<boolean>(keys.paused, queue.paused)
        for (const list of [queue.running, queue.waiting]) {
          takeStatuses(
            client,
            list.map(({ title, priority, ...status }) => status),
            asked,
          )
        }
        return queue
      }),
  })
  // What is listed stays until more of it has come.
  const { refetch } = query
  const asked = useRef(limit)
  useEffect(() => {
    if (asked.current === limit) return
    asked.current = limit
    void refetch()
  }, [limit, refetch])
  return query
}

/** How many tasks there are of each state: from the stream's snapshot, then asked for when that changes. */
export function useCounts(): Counts | undefined {
  const { refresher } = useLive()
  return useQuery({
    queryKey: keys.counts,
    queryFn: ({ signal }) =>
      refresher.timed(keys.counts, async () => {
        const ready = await askReady(signal)
        if (!('tasks' in ready) || !ready.tasks) throw new Error(ready.status)
        return ready.tasks
      }),
  }).data
}
