import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api, mediaPath } from '../api/client'
import { serverAhead } from '../api/clock'
import { isActive, type Status } from '../api/types'
import { keys } from '../live/apply'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { useNow } from '../ui/hooks'
import { type Line, statusLine } from './status-line'

/** How a media stands now: from the events; asked for where nothing was told yet. */
export function useStatus(media: string): { status: Status | undefined; at: number } {
  const query = useQuery({
    queryKey: keys.status(media),
    queryFn: ({ signal }) => api<Status>(`${mediaPath(media)}/status`, { signal }),
  })
  return { status: query.data, at: query.dataUpdatedAt }
}

// Told by the event stream; asked for only where that has not begun, or was cut.
export function usePaused(): boolean {
  const client = useQueryClient()
  const query = useQuery({
    queryKey: keys.paused,
    queryFn: async ({ signal }) => (await api<{ paused: boolean }>('/api/v1/queue?limit=1', { signal })).paused,
    initialData: () => client.getQueryData<boolean>(keys.paused),
  })
  return query.data ?? false
}

export function useStatusLine(media: string): { status: Status | undefined; line: Line | null } {
  const text = useText()
  const { status, at } = useStatus(media)
  const { connection } = useLive()
  const paused = usePaused()
  const now = useNow(status !== undefined && isActive(status.status))
  return { status, line: status ? statusLine(status, { paused, away: connection === 'lost' }, at, now, text, serverAhead()) : null }
}
