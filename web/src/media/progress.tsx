// A task as it runs: where it stands, its steps with their bars; or why it ended, and what to do.
import { useEffect, useRef } from 'react'
import { isActive, type Media, type Status, type Subtask, type Task } from '../api/types'
import { useText } from '../text'
import type { Text } from '../text/en'
import { CheckIcon, WarnIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { Bar } from '../ui/parts'
import type { Line } from './status-line'

function toneOf(step: Subtask): string {
  if (step.status === 'failed') return 'bad'
  if (step.status === 'partial_failure' || step.status === 'retrying') return 'warn'
  if (step.status === 'completed') return 'good'
  return step.status === 'processing' ? 'run' : 'off'
}

function stageOf(status: Status, task: Task | undefined, text: Text): string {
  if (status.status === 'pending') return status.current_step === 'retry_queued' ? text.retryQueued : text.queued
  const items = task?.items
  return text.stage(status.current_step, items?.completed ?? 0, items?.total ?? 0, status.stage)
}

export function ProgressPanel({ status, line, task, media }: { status: Status; line: Line; task: Task | undefined; media: Media }) {
  const text = useText()
  const { say } = useNotices()
  const active = isActive(status.status)
  // Read out when the state changes, and at each tenth.
  const said = useRef('')
  useEffect(() => {
    const tenth = Math.floor((line.percent ?? 0) / 10) * 10
    const now = `${media.title}: ${line.stopping ? text.stopping : text.state(status.status)}${active && tenth > 0 ? ` ${text.percent(tenth)}` : ''}`
    if (said.current !== '' && said.current !== now) say(now)
    said.current = now
  }, [status.status, line.percent, line.stopping, active, media.title, say, text])

  if (active) {
    return (
      <section className={`progress card ${line.tone}`} data-testid="progress" data-status={status.status}>
        <div className="progress-head">
          <h2>{line.label}</h2>
          {line.percent !== null && <span className="progress-percent">{text.percent(line.percent)}</span>}
        </div>
        <Bar percent={line.percent ?? 0} label={media.title} tone={line.tone} />
        <p className="progress-detail">
          <span data-testid="stage">{line.stopping ? '' : stageOf(status, task, text)}</span>
          <span className="muted" data-testid="detail">
            {line.stopping ? '' : line.detail.replace(/^\d+ ?%(, |，)?/, '')}
          </span>
        </p>
        {status.error && status.status === 'retrying' && (
          <p className="muted" dir="auto">
            {text.retryingTitle}: {text.errorText(status.error)}
          </p>
        )}
        {task && (
          <ol className="steps" role="list">
            {task.subtasks.map((step) => (
              <li key={step.name} data-step={step.name} data-status={step.status} className={toneOf(step)}>
                <span className="step-name">
                  {step.status === 'completed' ? <CheckIcon /> : <span className="dot" />}
                  {text.steps[step.name] ?? step.name}
                </span>
                <Bar percent={step.status === 'completed' ? 100 : step.progress} label={text.steps[step.name] ?? step.name} tone={toneOf(step)} />
              </li>
            ))}
          </ol>
        )}
      </section>
    )
  }
  if (status.status === 'failed' || status.status === 'partial_failure') {
    const failed = task?.items.failed ?? 0
    return (
      <section className={`outcome card ${line.tone}`} data-testid="outcome" data-status={status.status} role="group" aria-label={text.state(status.status)}>
        <WarnIcon />
        <div>
          <h2>{status.status === 'failed' ? text.failedTitle : text.partialTitle}</h2>
          {status.status === 'partial_failure' && failed > 0 && <p>{text.partialText(failed)}</p>}
          {status.error && <p dir="auto">{text.errorText(status.error)}</p>}
          {status.error && <p className="muted">{text.remedy(status.error)}</p>}
        </div>
      </section>
    )
  }
  if (status.status === 'cancelled') {
    return (
      <section className="outcome card off" data-testid="outcome" data-status="cancelled">
        <div>
          <h2>{text.state('cancelled')}</h2>
          <p className="muted">{text.cancelKeep}</p>
        </div>
      </section>
    )
  }
  return null
}
