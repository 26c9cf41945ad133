// What the server is made of and has learned: `GET /api/v1/system`.
import { queryOptions } from '@tanstack/react-query'
import { currentText } from '../text/current'
import { api, ApiError } from './client'
import type { Health } from './types'

export interface System {
  models: { engine: string; model: string }[]
  speeds: { step: string; engine: string; model: string; seconds_per_audio_second: number }[]
}

export const systemQuery = queryOptions({ queryKey: ['system'], queryFn: ({ signal }) => api<System>('/api/v1/system', { signal }), staleTime: 10_000 })

/** How the server is. One that is not ready says why with a 503. */
export async function askReady(signal: AbortSignal): Promise<Health> {
  try {
    const response = await fetch('/health/ready', { signal, cache: 'no-store' })
    return (await response.json()) as Health
  } catch (error) {
    if (signal.aborted) throw error
    throw new ApiError(0, 'offline', currentText().unreachable)
  }
}
