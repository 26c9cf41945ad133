import { useQuery, useQueryClient } from '@tanstack/react-query'
import { askReady } from '../api/system'
import { api } from '../api/client'
import type { Counts, Queue } from '../api/types'
import { keys, takeStatuses } from '../live/apply'
import { useLive } from '../live/provider'

export function useQueue() {
  const client = useQueryClient()
  const { refresher } = useLive()
  return useQuery({
    queryKey: keys.queue,
    queryFn: ({ signal }) =>
      refresher.timed(keys.queue, async () => {
        const asked = Date.now()
        const queue = await api<Queue>('/api/v1/queue', { signal })
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
}

/** How many tasks there are of each state: from the stream's snapshot, then asked for when that changes. */
export function useCounts(): Counts | undefined {
  const { refresher } = useLive()
  return useQuery({
    queryKey: keys.counts,
    queryFn: ({ signal }) =>
      refresher.timed(keys.counts, async () => {
        const ready = await askReady(signal)
        if (!ready.tasks) throw new Error(ready.status)
        return ready.tasks
      }),
  }).data
}
