// One that runs or waits: how it stands, and what can be done with it here.
import { memo, useRef, useState } from 'react'
import { useFeatures } from '../api/features'
import type { QueueEntry } from '../api/types'
import { PRIORITY, useActions } from '../media/actions'
import { useStatusLine } from '../media/use-status'
import { useText } from '../text'
import { DownIcon, StopIcon, UpIcon } from '../ui/icons'
import { useMay } from '../ui/may'
import { Bar, IconButton } from '../ui/parts'
import { mediaHash } from '../ui/route'

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

/** The content of a row; the list has its place. */
export const Entry = memo(function Entry({ entry, waiting, onCancel }: { entry: QueueEntry; waiting: boolean; onCancel: (task: string) => void }) {
  const text = useText()
  const features = useFeatures()
  const may = useMay()
  const { line } = useStatusLine(entry.media_id)
  const task = entry.task_id
  const { priority, change } = usePriority(task, entry.priority)
  return (
    <>
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
    </>
  )
})
