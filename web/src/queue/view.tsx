// Who runs, who waits, and in what order.
import { useCallback, useState } from 'react'
import type { TaskState } from '../api/types'
import { reason, useActions } from '../media/actions'
import { useText } from '../text'
import { bytes } from '../text/format'
import { useTitle } from '../ui/hooks'
import { useMay } from '../ui/may'
import { PauseIcon, PlayIcon } from '../ui/icons'
import { Button, Confirm, Empty, Loading } from '../ui/parts'
import { routeHash } from '../ui/route'
import { Entries } from './entries'
import { FIRST, MOST, useQueue } from './use-queue'

const allOf = (status: TaskState) => routeHash({ view: 'library', query: '', status, sort: '' })

export function QueueView() {
  const text = useText()
  const actions = useActions()
  const [limit, setLimit] = useState(FIRST)
  const queue = useQueue(limit)
  const onEnd = useCallback(() => setLimit(MOST), [])
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
  if (!q) return <Loading />
  // Of each kind a part is listed where they are many; how many there are is counted.
  const all = (listed: unknown[], counted: number) => (q.truncated ? Math.max(listed.length, counted) : listed.length)
  const runningAll = all(q.running, q.counts.processing)
  const waitingAll = all(q.waiting, q.counts.pending + q.counts.retrying)
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
          {text.running}{' '}
          <span className="muted" data-testid="running-count">
            {runningAll.toLocaleString(text.tag)}
          </span>
        </h2>
        {q.running.length === 0 ? <p className="muted none">{text.nothingRuns}</p> : <Entries entries={q.running} onCancel={setAsking} more={runningAll > q.running.length} />}
        {runningAll > q.running.length && (
          <p className="muted more">
            {text.firstOf(q.running.length, runningAll)} <a href={allOf('processing')}>{text.allRunning}</a>
          </p>
        )}
      </section>
      <section aria-labelledby="queue-waiting">
        <h2 id="queue-waiting">
          {text.waiting}{' '}
          <span className="muted" data-testid="waiting-count">
            {waitingAll.toLocaleString(text.tag)}
          </span>
        </h2>
        {q.waiting.length === 0 ? <p className="muted none">{text.nothingWaits}</p> : <Entries entries={q.waiting} onCancel={setAsking} waiting more={waitingAll > q.waiting.length} onEnd={onEnd} />}
        {waitingAll > q.waiting.length && limit === MOST && (
          <p className="muted more">
            {text.firstOf(q.waiting.length, waitingAll)} <a href={allOf('pending')}>{text.allWaiting}</a>
          </p>
        )}
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
