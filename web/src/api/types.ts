// The shapes of the API that the page reads. The contract is /api/openapi.json.

export type TaskState = 'pending' | 'processing' | 'retrying' | 'completed' | 'partial_failure' | 'failed' | 'cancelled'
export type StepName = 'acquire' | 'extract' | 'transcribe' | 'diarize' | 'finalize'

export interface TaskError {
  class: string
  code: string
  message: string
}

/** How a media's newest task stands: `GET …/status`, and in events. */
export interface Status {
  media_id: string
  task_id: string | null
  status: TaskState
  current_step: string | null
  stage: string | null
  progress: number
  eta_seconds: number | null
  queue_position: number | null
  estimated_start_seconds: number | null
  retry_count: number
  cancel_requested: boolean
  next_attempt_at: string | null
  started_at: string | null
  updated_at: string | null
  completed_at: string | null
  error: TaskError | null
}

export interface MediaSummary {
  id: string
  title: string
  filename: string
  status: TaskState
  task_id: string | null
  progress: number
  error: TaskError | null
  size_bytes: number | null
  duration_seconds: number | null
  created_at: string
  updated_at: string
  source_available?: boolean | null
}

export interface AudioTrack {
  index?: number
  codec?: string
  language?: string | null
  title?: string | null
  channels?: number
  sample_rate?: number
  is_default?: boolean
}

export interface MediaInfo {
  container: string
  duration_seconds: number
  warnings?: string[]
  audio_tracks?: AudioTrack[]
}

export interface Subtask {
  name: StepName
  weight: number
  status: TaskState
  progress: number
  started_at: string | null
  completed_at: string | null
  error: TaskError | null
}

export interface Items {
  total: number
  completed: number
  failed: number
}

export interface TaskOptions {
  engine: string
  model: string
  language: string
  audio_track: number | null
  diarize: boolean
  priority: number
  from_step: StepName | null
}

export interface Task {
  task_id: string
  media_id: string
  run: number
  status: TaskState
  current_step: string | null
  progress: number
  retry_count: number
  engine: string | null
  model: string | null
  model_reason: string | null
  cancel_requested: boolean
  next_attempt_at: string | null
  created_at: string
  started_at: string | null
  updated_at: string
  completed_at: string | null
  error: TaskError | null
  stage: string | null
  eta_seconds: number | null
  queue_position: number | null
  estimated_start_seconds: number | null
  predicted_seconds: number | null
  worked_seconds: number
  options: TaskOptions
  subtasks: Subtask[]
  items: Items
}

export interface Media extends MediaSummary {
  media_info: MediaInfo | null
  task: Task | null
}

export interface Unit {
  step: StepName
  ordinal: number
  status: 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled'
  start: number
  end: number
  attempts: number
  model: string | null
  audio_done_seconds: number
  next_attempt_at: string | null
  started_at: string | null
  completed_at: string | null
  error: TaskError | null
}

export interface Attempt {
  run: number
  step: StepName
  ordinal: number
  number: number
  node: string
  model: string | null
  started_at: string
  ended_at: string | null
  outcome: string
  error: TaskError | null
  audio_done_seconds: number
}

export interface Word {
  start: number
  end: number
  text: string
  confidence: number
}

export interface Segment {
  index: number
  /** Stays with it once the task has ended; null until then. */
  id?: number | null
  revision?: number
  start: number
  end: number
  text: string
  confidence: number
  speaker: string | null
  words: Word[]
}

export interface Gap {
  start: number
  end: number
  reason: string
}

export interface Segments {
  media_id: string
  task_id: string
  status: TaskState
  complete: boolean
  segments: Segment[]
  gaps: Gap[]
  revision?: number
  newest_revision?: number
}

/** What an edit of a transcript did. */
export interface Edited {
  media_id: string
  task_id: string
  revision: number
  edited: boolean
  segments: Omit<Segment, 'index'>[]
  removed: number[]
}

export interface Waveform {
  bits: number
  bucket_ms: number
  length: number
  data: number[]
}

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export type Counts = Record<TaskState, number>

export interface QueueEntry extends Status {
  title: string
  priority: number
}

export interface Slot {
  lane: 'fetch' | 'media' | 'speech' | 'local'
  warm: boolean
  task_id: string | null
  step: StepName | null
  resident_bytes: number
}

export interface Queue {
  running: QueueEntry[]
  waiting: QueueEntry[]
  paused: boolean
  counts: Counts
  slots: Slot[]
  truncated: boolean
}

export interface Ready {
  status: string
  version: string
  database: string
  store_ok: boolean
  disk_free_bytes: number | null
  sandbox: string
  engine: string
  model: string
  housekeeping: { reconciled_at: string | null; sources_missing: number; audio_missing: number }
  workers: Record<'media' | 'speech', { slots: number; warm: number; busy: number }>
  tasks: Counts | null
}

/** What `/health/ready` says: to who is not known, the status alone. */
export type Health = Ready | { status: string; tasks?: undefined }

/** A message of the event stream. */
export type LiveMessage =
  | { type: 'snapshot'; seq: number; tasks: Status[]; truncated: boolean; paused: boolean; counts: Counts }
  | { type: 'reset'; detail?: string }
  | LiveEvent

export interface LiveEvent {
  type:
    | 'task.created'
    | 'task.state'
    | 'task.updated'
    | 'task.progress'
    | 'unit.completed'
    | 'unit.failed'
    | 'unit.retry'
    | 'media.created'
    | 'media.updated'
    | 'media.deleted'
    | 'transcript.updated'
    | 'queue.paused'
    | 'queue.resumed'
  seq: number
  at: string
  media_id: string | null
  task_id: string | null
  data: Record<string, unknown>
  status?: Status
}

export const isActive = (state: TaskState): boolean => state === 'pending' || state === 'processing' || state === 'retrying'
export const isRetryable = (state: TaskState): boolean => state === 'failed' || state === 'cancelled' || state === 'partial_failure'
