// Requests to the API, and their failures as values that a person can read.
import { currentText } from '../text/current'
import { learnClock } from './clock'
import { csrfHeader, tellSignedOut } from './session'

export class ApiError extends Error {
  constructor(
    /** 0: the server could not be reached. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problem: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

export interface Ask {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

async function send(path: string, ask: Ask): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...(ask.method && ask.method !== 'GET' ? csrfHeader() : {}), ...ask.headers }
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(path, {
      method: ask.method ?? 'GET',
      headers,
      body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
      signal: ask.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'offline', currentText().unreachable)
  }
  learnClock(response)
  if (response.ok) return response
  if (response.status === 401 && path !== '/api/v1/session') tellSignedOut()
  let problem: Record<string, unknown> = {}
  try {
    problem = (await response.json()) as Record<string, unknown>
  } catch {
    // Not a problem document: the status says it alone.
  }
  const code = typeof problem.code === 'string' ? problem.code : `http_${response.status}`
  const detail = typeof problem.detail === 'string' ? problem.detail : `${response.status} ${response.statusText}`
  throw new ApiError(response.status, code, currentText().problem(response.status, code, detail), problem)
}

export async function api<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await send(path, ask)
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** A document as it is. */
export async function apiBlob(path: string): Promise<Blob> {
  return (await send(path, { headers: { Accept: '*/*' } })).blob()
}

export const isForbidden = (error: unknown): boolean => error instanceof ApiError && (error.status === 401 || error.status === 403)

/** With the `ETag`, for a change that is to be made only where nobody else has made one since. */
export async function apiTagged<T>(path: string, ask: Ask = {}): Promise<{ value: T; tag: string | null }> {
  const response = await send(path, ask)
  return { value: (await response.json()) as T, tag: response.headers.get('ETag') }
}

/** A request that makes something: safe to send again, whatever became of the first. */
export async function apiOnce<T>(path: string, body?: unknown): Promise<T> {
  const key = newKey()
  for (let attempt = 0; ; ++attempt) {
    try {
      return await api<T>(path, { method: 'POST', body, headers: { 'Idempotency-Key': key } })
    } catch (error) {
      const again = error instanceof ApiError && (error.status === 0 || error.code === 'in_doubt') && attempt < 2
      if (!again) throw error
      await new Promise((done) => setTimeout(done, 400 * (attempt + 1)))
    }
  }
}

export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

export const mediaPath = (id: string): string => `/api/v1/media/${encodeURIComponent(id)}`
export const taskPath = (id: string): string => `/api/v1/tasks/${encodeURIComponent(id)}`
