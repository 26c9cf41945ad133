// Who runs, who waits, and in what order.
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import { useFeatures } from '../api/features'
import type { QueueEntry } from '../api/types'
import { reason, useActions } from '../media/actions'
import { useStatusLine } from '../media/use-status'
import { useText } from '../text'
import { bytes } from '../text/format'
import { useTitle } from '../ui/hooks'
import { useMay } from '../ui/may'
import { DownIcon, PauseIcon, PlayIcon, StopIcon, UpIcon } from '../ui/icons'
import { Bar, Button, Confirm, Empty, IconButton } from '../ui/parts'
import { mediaHash } from '../ui/route'
import { useQueue } from './use-queue'

export function QueueView() {
  const text = useText()
  const actions = useActions()
  const queue = useQueue()
  const may = useMay()
  // Of what is asked about: it may run, or have ended, before that is answered.
  const [asking, setAsking] = useState<string | null>(null)
  useTitle(`${text.queue} · ${text.appName}`)
  if (queue.isError && !queue.data) {
    return (
      <Empty title={text.loadFailed}>
        <p className="muted">{reason(queue.error)}</p>
        <Button onClick={() => void queue.refetch()}>{text.tryAgain}</Button>
      </Empty>
    )
  }
  const q = queue.data
  if (!q) return <div className="loading" aria-busy="true" />
  const titleOf = (task: string | null) => [...q.running, ...q.waiting].find((e) => e.task_id === task)
  return (
    <div className="queue">
      <header className="page-head">
        <h1>{text.queue}</h1>
        <span className="grow" />
        {may.manage && (
          <Button icon={q.paused ? <PlayIcon /> : <PauseIcon />} kind={q.paused ? 'primary' : 'plain'} onClick={() => void actions.attempt(() => actions.setPaused(!q.paused))} data-testid="pause-queue">
            {q.paused ? text.resumeQueue : text.pauseQueue}
          </Button>
        )}
      </header>
      {q.paused && (
        <p className="note" role="status">
          <strong>{text.pausedQueue}.</strong> {text.pausedHint}
        </p>
      )}
      <section aria-labelledby="queue-running">
        <h2 id="queue-running">
          {text.running} <span className="muted">{q.running.length}</span>
        </h2>
        {q.running.length === 0 ? <p className="muted none">{text.nothingRuns}</p> : <Entries entries={q.running} onCancel={setAsking} />}
      </section>
      <section aria-labelledby="queue-waiting">
        <h2 id="queue-waiting">
          {text.waiting} <span className="muted">{q.waiting.length}</span>
        </h2>
        {q.waiting.length === 0 ? <p className="muted none">{text.nothingWaits}</p> : <Entries entries={q.waiting} onCancel={setAsking} waiting />}
        {q.truncated && <p className="muted">{text.truncated}</p>}
      </section>
      <section aria-labelledby="queue-workers">
        <h2 id="queue-workers">{text.workers}</h2>
        <ul className="workers" role="list">
          {q.slots.map((slot, i) => {
            const entry = titleOf(slot.task_id)
            return (
              <li key={i} className="card worker">
                <span className={`lamp ${slot.task_id ? 'run' : slot.warm || slot.lane !== 'speech' ? 'good' : 'off'}`} />
                <div>
                  <strong>{text.lanes[slot.lane] ?? slot.lane}</strong>
                  <span className="muted" dir="auto">
                    {slot.task_id ? `${text.steps[slot.step ?? ''] ?? ''}${entry ? ` · ${entry.title}` : ''}` : slot.warm || slot.lane !== 'speech' ? text.workerIdle : text.workerCold}
                  </span>
                </div>
                {slot.resident_bytes > 1e7 && <span className="muted worker-memory">{bytes(slot.resident_bytes, text.tag)}</span>}
              </li>
            )
          })}
        </ul>
      </section>
      {asking !== null && (
        <Confirm title={text.cancelAsk} hint={text.cancelKeep} yes={text.cancelYes} no={text.cancelNo} onYes={() => void actions.attempt(() => actions.cancel(asking))} onClose={() => setAsking(null)} />
      )}
    </div>
  )
}

function Entries({ entries, onCancel, waiting = false }: { entries: QueueEntry[]; onCancel: (task: string) => void; waiting?: boolean }) {
  // A row that moves takes the focus with it.
  const pressed = useRef<HTMLElement | null>(null)
  useEffect(() => {
    const elsewhere = (e: PointerEvent) => {
      if (!pressed.current?.contains(e.target as Node)) pressed.current = null
    }
    document.addEventListener('pointerdown', elsewhere)
    return () => document.removeEventListener('pointerdown', elsewhere)
  }, [])
  useLayoutEffect(() => {
    if (document.activeElement === document.body) pressed.current?.focus()
  }, [entries])
  return (
    <ol
      className="entries card"
      role="list"
      onFocus={(e) => {
        pressed.current = e.target
      }}
      onBlur={(e) => {
        if (e.relatedTarget) pressed.current = null
      }}
    >
      {entries.map((e) => (
        <Entry key={e.task_id} entry={e} waiting={waiting} onCancel={onCancel} />
      ))}
    </ol>
  )
}

const PRIORITY = { least: -100, most: 100 }

/** The priority of a task as it is, or as it was last asked for: clicks that come faster than answers add up. */
function usePriority(task: string | null, known: number): { priority: number; change: (by: number) => void } {
  const actions = useActions()
  const [asked, setAsked] = useState<number | null>(null)
  const wanted = useRef<number | null>(null)
  const change = (by: number) => {
    if (!task) return
    const sending = wanted.current !== null
    wanted.current = Math.max(PRIORITY.least, Math.min(PRIORITY.most, (wanted.current ?? known) + by))
    setAsked(wanted.current)
    if (sending) return
    const send = async () => {
      for (let sent = NaN; sent !== wanted.current; ) {
        sent = wanted.current ?? known
        if (!(await actions.attempt(() => actions.setPriority(task, sent)))) break
      }
      wanted.current = null
      setAsked(null)
    }
    void send()
  }
  return { priority: asked ?? known, change }
}

function Entry({ entry, waiting, onCancel }: { entry: QueueEntry; waiting: boolean; onCancel: (task: string) => void }) {
  const text = useText()
  const features = useFeatures()
  const may = useMay()
  const { line } = useStatusLine(entry.media_id)
  const task = entry.task_id
  const { priority, change } = usePriority(task, entry.priority)
  return (
    <li data-task={task} data-priority={priority}>
      <div className="entry-main">
        <a href={mediaHash(entry.media_id)} dir="auto">
          {entry.title}
        </a>
        {line && (
          <span className="row-words">
            <span className={`state ${line.tone}`}>{line.label}</span>
            <span className="muted">{line.detail}</span>
          </span>
        )}
        {!waiting && line?.percent != null && <Bar percent={line.percent} label={entry.title} tone={line.tone} />}
      </div>
      {priority !== 0 && (
        <span className={`priority ${priority > 0 ? 'up' : 'down'}`} title={text.priority}>
          {priority > 0 ? `+${priority}` : priority}
        </span>
      )}
      {features.priority && may.change && waiting && (
        <span className="entry-order">
          <IconButton label={`${text.moveUp}: ${entry.title}`} disabled={priority >= PRIORITY.most} onClick={() => change(1)}>
            <UpIcon />
          </IconButton>
          <IconButton label={`${text.moveDown}: ${entry.title}`} disabled={priority <= PRIORITY.least} onClick={() => change(-1)}>
            <DownIcon />
          </IconButton>
        </span>
      )}
      {may.change && task && (
        <IconButton label={`${text.cancel}: ${entry.title}`} disabled={line?.stopping} onClick={() => onCancel(task)}>
          <StopIcon />
        </IconButton>
      )}
    </li>
  )
}
