import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api } from '../api/client'
import type { Counts, Queue } from '../api/types'
import { keys } from '../live/apply'

export function useQueue() {
  const client = useQueryClient()
  return useQuery({
    queryKey: keys.queue,
    queryFn: async ({ signal }) => {
      const queue = await api<Queue>('/api/v1/queue', { signal })
      client.setQueryData<Counts>(keys.counts, queue.counts)
      client.setQueryData<boolean>(keys.paused, queue.paused)
      return queue
    },
  })
}

/** How many tasks there are of each state: from the stream's snapshot, then asked for when that changes. */
export function useCounts(): Counts | undefined {
  return useQuery({
    queryKey: keys.counts,
    queryFn: async ({ signal }) => (await api<Queue>('/api/v1/queue', { signal })).counts,
  }).data
}
