// What the server is made of and has learned: `GET /api/v1/system`.
import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import type { Health } from './types'

export interface System {
  models: { engine: string; model: string }[]
  speeds: { step: string; engine: string; model: string; seconds_per_audio_second: number }[]
}

export const systemQuery = queryOptions({ queryKey: ['system'], queryFn: ({ signal }) => api<System>('/api/v1/system', { signal }), staleTime: 10_000 })

/** How the server is. One that is not ready says why with a 503. */
export async function askReady(signal: AbortSignal): Promise<Health> {
  const response = await fetch('/health/ready', { signal, cache: 'no-store' })
  return (await response.json()) as Health
}
