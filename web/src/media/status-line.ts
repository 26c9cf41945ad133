// What one line says of how a recording stands. Pure.
import { isActive, type Status } from '../api/types'
import type { Text } from '../text/en'
import { leftOf } from '../text/format'

export type Tone = 'run' | 'wait' | 'good' | 'warn' | 'bad' | 'off'

export interface Line {
  tone: Tone
  label: string
  detail: string
  /** null: no bar. */
  percent: number | null
  stopping: boolean
}

// Steps after which "86 %" is of the work that people mean: before them it is of fetching and loading.
const FAR_ENOUGH: readonly string[] = ['transcribe', 'diarize', 'finalize', 'retry_queued']

/**
 * `at`: when the status was told; `now`: the time; `ahead`: of this clock, the server's; all in ms. `away`: nothing is heard of
 * the server, and no time is told that it may not keep.
 */
export function statusLine(status: Status, { paused = false, away = false }: { paused?: boolean; away?: boolean }, at: number, now: number, text: Text, ahead = 0): Line {
  const line: Line = { tone: 'wait', label: text.state(status.status), detail: '', percent: null, stopping: false }
  if (isActive(status.status) && status.cancel_requested) {
    return { ...line, tone: 'off', label: text.stopping, percent: status.progress, stopping: true }
  }
  const parts: string[] = []
  switch (status.status) {
    case 'pending': {
      if (status.progress > 0 && FAR_ENOUGH.includes(status.current_step ?? '')) line.percent = status.progress
      if (paused) {
        parts.push(text.pausedQueue)
        break
      }
      if (status.queue_position !== null) parts.push(text.place(status.queue_position))
      if (status.estimated_start_seconds !== null && !away) parts.push(text.startsIn(leftOf(status.estimated_start_seconds, at, now)))
      break
    }
    case 'processing':
      line.tone = 'run'
      line.percent = status.progress
      line.label = status.current_step === 'transcribe' || !status.current_step ? text.state('processing') : (text.steps[status.current_step] ?? text.state('processing'))
      parts.push(text.percent(status.progress))
      if (status.eta_seconds !== null && !away) parts.push(text.left(leftOf(status.eta_seconds, at, now)))
      break
    case 'retrying':
      line.tone = 'warn'
      line.percent = status.progress
      if (paused) parts.push(text.pausedQueue)
      else if (status.error?.class === 'storage') parts.push(text.forRoom) // as soon as there is some, not at a time
      else if (status.next_attempt_at) parts.push(text.nextTry(Math.max(0, (Date.parse(status.next_attempt_at) - now - ahead) / 1000)))
      break
    case 'completed':
      line.tone = 'good'
      break
    case 'partial_failure':
      line.tone = 'warn'
      break
    case 'failed':
      line.tone = 'bad'
      if (status.error) parts.push(text.errorText(status.error))
      break
    case 'cancelled':
      line.tone = 'off'
      break
  }
  line.detail = parts.join(text.comma)
  return line
}
