import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, taskPath } from '../api/client'
import { useFeatures } from '../api/features'
import type { Attempt, LiveEvent, Media, Page, Task } from '../api/types'
import { keys } from '../live/apply'
import { useText } from '../text'
import { bytes, clock, fullTime } from '../text/format'

export function Details({ media, task, taskId }: { media: Media; task: Task | undefined; taskId: string | null }) {
  const text = useText()
  const info = media.media_info
  const speed = task?.status === 'completed' && media.duration_seconds && task.worked_seconds > 0 ? media.duration_seconds / task.worked_seconds : null
  const facts: [string, string | null][] = [
    [text.length, media.duration_seconds === null ? null : clock(media.duration_seconds)],
    [text.size, media.size_bytes === null ? null : bytes(media.size_bytes, text.tag)],
    [text.format, info ? formatOf(info.container, media.filename) : null],
    [text.added, fullTime(media.created_at, text.tag)],
    [text.language, task?.options.language ?? null],
    [text.model, task?.model ? `${task.engine} · ${task.model}` : null],
    [text.modelReason, task?.model_reason ? text.sentence(task.model_reason) : null],
    [text.speed, speed ? text.timesRealtime(speed) : null],
  ]
  return (
    <>
      <section className="card facts" aria-label={text.details}>
        <h2>{text.details}</h2>
        <dl>
          {facts.map(([name, value]) =>
            value === null || value === '' ? null : (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ),
          )}
        </dl>
        {media.source_available === false && <p className="note warn">{text.sourceGone}</p>}
        {info?.warnings && info.warnings.length > 0 && (
          <>
            <h3>{text.warnings}</h3>
            <ul className="plain-list">
              {info.warnings.map((w, i) => (
                <li key={i} dir="auto">
                  {text.sentence(w)}
                </li>
              ))}
            </ul>
          </>
        )}
      </section>
      {taskId && <Attempts task={taskId} />}
    </>
  )
}

/** FFmpeg names families (mov,mp4,m4a,…): the one that the file is called, or the first. */
export function formatOf(container: string, filename: string): string {
  const family = container.split(',')
  const called = /\.([^.]+)$/.exec(filename)?.[1]?.toLowerCase() ?? ''
  return (family.includes(called) ? called : (family[0] ?? container)).toUpperCase()
}

function Attempts({ task }: { task: string }) {
  const text = useText()
  const features = useFeatures()
  const [open, setOpen] = useState(false)
  const attempts = useQuery({
    queryKey: keys.attempts(task),
    queryFn: ({ signal }) => api<{ items: Attempt[] }>(`${taskPath(task)}/attempts`, { signal }),
    enabled: open,
  })
  const log = useQuery({
    queryKey: keys.log(task),
    queryFn: ({ signal }) => api<Page<LiveEvent>>(`${taskPath(task)}/log?limit=200`, { signal }),
    enabled: open && features.log,
  })
  const time = (iso: string) => new Date(iso).toLocaleTimeString(text.tag)
  const shown = [...(attempts.data?.items ?? [])].reverse().slice(0, 200)
  return (
    <details className="card attempts" onToggle={(e) => setOpen(e.currentTarget.open)} data-testid="attempts">
      <summary>{text.attempts}</summary>
      {attempts.isSuccess && shown.length === 0 && <p className="muted">{text.noAttempts}</p>}
      <ul role="list">
        {shown.map((a) => (
          <li key={`${a.run}.${a.step}.${a.ordinal}.${a.number}`} data-outcome={a.outcome}>
            <span className={`state ${a.outcome === 'completed' ? 'good' : a.outcome === 'failed' || a.outcome === 'lost' ? 'bad' : 'off'}`}>{text.outcome[a.outcome] ?? a.outcome}</span>
            <span>
              {text.steps[a.step] ?? a.step}
              {a.step === 'transcribe' ? ` · ${text.part(a.ordinal)}` : ''}
              {a.number > 1 ? ` · ${text.attempt(a.number)}` : ''}
            </span>
            <time className="muted" dateTime={a.started_at} title={fullTime(a.started_at, text.tag)}>
              {time(a.started_at)}
            </time>
            {a.error && (
              <p className="muted" dir="auto">
                {text.errorText(a.error)}
              </p>
            )}
          </li>
        ))}
      </ul>
      {features.log && (
        <>
          <h3>{text.log}</h3>
          <ol className="log" role="list" tabIndex={0} aria-label={text.log}>
            {(log.data?.items ?? []).map((e) => (
              <li key={e.seq}>
                <time dateTime={e.at}>{time(e.at)}</time> {e.type} <span dir="auto">{logWords(e)}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </details>
  )
}

/** What an event says, short: the parts that are text and numbers. */
export function logWords(event: LiveEvent): string {
  const words: string[] = []
  for (const [name, value] of Object.entries(event.data)) {
    if (name.endsWith('_id') || value === null) continue
    if (name === 'error' && typeof value === 'object') words.push(String((value as { message?: unknown }).message ?? ''))
    else if (typeof value === 'number') words.push(`${name}=${Math.round(value * 10) / 10}`)
    else if (typeof value === 'string' || typeof value === 'boolean') words.push(`${name}=${value}`)
  }
  return words.join(' ')
}
