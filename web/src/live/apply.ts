// What a message of the event stream changes in the page's memory. The cache of queries is the only
// place that holds state of the server; whatever is shown reads it.
import { hashKey, type InfiniteData, type QueryClient } from '@tanstack/react-query'
import type { Counts, LiveEvent, LiveMessage, Media, MediaSummary, Page, Segments, Status, TaskState, Unit } from '../api/types'
import { keys } from './keys'
import type { Refresher } from './refresher'

export { keys }

export type LibraryData = InfiniteData<Page<MediaSummary>, string | null>

/**
 * A status that was told is newer than any answer that is still on its way. False, and nothing is
 * changed: it is of a task before the one that is known, which may end after its successor was made
 * (ids are UUIDv7: they sort by age).
 */
export function setStatus(client: QueryClient, status: Status): boolean {
  const key = keys.status(status.media_id)
  const known = client.getQueryData<Status>(key)?.task_id
  if (known && status.task_id && status.task_id < known) return false
  void client.getQueryCache().get(hashKey(key))?.cancel({ revert: false, silent: true })
  client.setQueryData<Status>(key, status)
  return true
}

/** Statuses of an answer that was asked for at `asked` (ms): taken where nothing newer was told. */
export function takeStatuses(client: QueryClient, statuses: readonly Status[], asked: number): void {
  // Of a media there may be two: one task that is stopping, and the next.
  const fresh = statuses.filter((s) => !isForgotten(client, s.media_id) && (client.getQueryState(keys.status(s.media_id))?.dataUpdatedAt ?? 0) < asked)
  for (const status of fresh) setStatus(client, status)
}

/** From an entry of a list, which says less: nothing that is known better is lost. */
export function statusOfSummary(item: MediaSummary, known: Status | undefined): Status {
  const same = known !== undefined && known.task_id === item.task_id && known.status === item.status
  if (same) return known
  return {
    media_id: item.id,
    task_id: item.task_id,
    status: item.status,
    current_step: null,
    stage: null,
    progress: item.progress,
    eta_seconds: null,
    queue_position: null,
    estimated_start_seconds: null,
    retry_count: 0,
    cancel_requested: false,
    next_attempt_at: null,
    started_at: null,
    updated_at: null,
    completed_at: null,
    error: item.error,
  }
}

/** Entries of a list that was asked for at `asked` (ms). */
export function takeSummaries(client: QueryClient, items: MediaSummary[], asked: number): void {
  for (const item of items) {
    if (isForgotten(client, item.id)) continue
    const state = client.getQueryState<Status>(keys.status(item.id))
    if ((state?.dataUpdatedAt ?? 0) < asked) {
      client.setQueryData<Status>(keys.status(item.id), (known) => statusOfSummary(item, known))
    }
  }
}

const STATES: readonly string[] = ['pending', 'processing', 'retrying', 'completed', 'partial_failure', 'failed', 'cancelled']

// An event of many at once comes without the status: what it says itself is taken, the rest asked for.
function statusOfEvent(event: LiveEvent, known: Status | undefined): Status | undefined {
  const state = event.data.state
  if (!event.media_id || typeof state !== 'string' || !STATES.includes(state)) return undefined
  const data = event.data as { progress?: number; current_step?: string; retry_count?: number; cancel_requested?: boolean; next_attempt_at?: string; error?: Status['error'] }
  const base =
    known ??
    statusOfSummary(
      { id: event.media_id, task_id: event.task_id, status: state as TaskState, progress: 0, error: null } as MediaSummary,
      undefined,
    )
  return {
    ...base,
    task_id: event.task_id,
    status: state as TaskState,
    current_step: data.current_step ?? null,
    progress: data.progress ?? base.progress,
    retry_count: data.retry_count ?? base.retry_count,
    cancel_requested: data.cancel_requested ?? false,
    next_attempt_at: data.next_attempt_at ?? null,
    error: data.error ?? null,
    eta_seconds: null,
    queue_position: null,
    estimated_start_seconds: null,
    stage: null,
  }
}

/** Changes an entry in every list that has it; undefined: it is taken out. */
export function patchLists(client: QueryClient, id: string, change: (item: MediaSummary) => MediaSummary | undefined): void {
  const patch = (page: Page<MediaSummary>): Page<MediaSummary> =>
    page.items.some((m) => m.id === id) ? { ...page, items: page.items.flatMap((m) => (m.id === id ? (change(m) ?? []) : m)) } : page
  client.setQueriesData<LibraryData>({ queryKey: keys.library }, (data) => {
    const pages = data?.pages.map(patch)
    return data && pages?.some((page, i) => page !== data.pages[i]) ? { ...data, pages } : data
  })
}

const forgotten = new WeakMap<QueryClient, Set<string>>()
/** Deleted: an answer that was on its way may still have it. */
export const isForgotten = (client: QueryClient, id: string): boolean => forgotten.get(client)?.has(id) ?? false

export function forgetMedia(client: QueryClient, id: string): void {
  forgotten.set(client, (forgotten.get(client) ?? new Set()).add(id))
  patchLists(client, id, () => undefined)
  for (const key of [keys.status(id), keys.segments(id), keys.waveform(id)]) client.removeQueries({ queryKey: key })
}

function applyTask(client: QueryClient, refresh: Refresher, event: LiveEvent): void {
  const media = event.media_id
  const task = event.task_id
  if (!media || !task) return
  const known = client.getQueryData<Status>(keys.status(media))
  const status = event.status ?? statusOfEvent(event, known)
  if (status && (!setStatus(client, status) || !event.status)) refresh.only(keys.status(media), 500)
  if (event.type === 'task.updated') refresh.places()
  if (event.type === 'task.state' || event.type === 'task.created') {
    refresh.only(keys.media(media), 50)
    refresh.only(keys.segments(media), 400)
    refresh.only(keys.attempts(task), 500)
    refresh.soon(keys.librarySome, 1000)
    refresh.soon(keys.queue, 200)
    refresh.soon(keys.counts, 1000)
    refresh.places()
    // The waveform comes with the first step.
    if (!client.getQueryData(keys.waveform(media))) refresh.only(keys.waveform(media), 500)
  }
  refresh.only(keys.task(task), event.type === 'task.progress' ? 900 : 100)
  refresh.only(keys.units(task), event.type === 'task.progress' ? 900 : 100)
  refresh.soon(keys.queue, 1000)
  if (event.type.startsWith('unit.')) {
    refresh.only(keys.segments(media), 600)
    refresh.soon(keys.search, 2000)
    refresh.only(keys.attempts(task), 1000)
  }
  if (event.type !== 'task.progress') refresh.only(keys.log(task), 1000)
}

export function applyMessage(client: QueryClient, refresh: Refresher, message: LiveMessage): void {
  switch (message.type) {
    case 'snapshot':
      for (const status of message.tasks) setStatus(client, status)
      client.setQueryData<Counts>(keys.counts, message.counts)
      client.setQueryData<boolean>(keys.paused, message.paused)
      return
    case 'reset':
      void client.invalidateQueries()
      return
    case 'media.created':
      refresh.newest()
      refresh.soon(keys.librarySome, 1000)
      return
    case 'media.updated':
      if (message.media_id) {
        refresh.only(keys.media(message.media_id), 50)
        refresh.one(message.media_id)
        refresh.soon(keys.librarySome, 1000)
        refresh.soon(keys.queue, 300)
      }
      return
    case 'media.deleted':
      if (message.media_id) {
        forgetMedia(client, message.media_id)
        client.setQueryData<Media | null>(keys.media(message.media_id), null)
        refresh.soon(keys.librarySome, 1000)
        refresh.soon(keys.search, 300)
        refresh.soon(keys.queue, 300)
        refresh.soon(keys.counts, 1000)
        refresh.places()
      }
      return
    case 'transcript.updated':
      if (message.media_id) {
        // Our own edit is known by its answer already.
        const known = client.getQueryData<Segments | null>(keys.segments(message.media_id))?.newest_revision ?? -1
        const told = typeof message.data.revision === 'number' ? message.data.revision : Infinity
        if (told > known) refresh.only(keys.segments(message.media_id), 50)
        refresh.soon(keys.search, 1000)
      }
      return
    case 'queue.paused':
    case 'queue.resumed':
      client.setQueryData<boolean>(keys.paused, message.type === 'queue.paused')
      refresh.soon(keys.queue, 50)
      refresh.places()
      return
    default:
      applyTask(client, refresh, message)
  }
}

/** The chunks of the audio, in order, from all units of a task. */
export const chunksOf = (units: readonly Unit[]): Unit[] => units.filter((u) => u.step === 'transcribe')
