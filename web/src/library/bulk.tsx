// What is done with all that are selected, one after the other; what fails is counted and said.
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { isActive, isRetryable, type MediaSummary, type Status } from '../api/types'
import { keys } from '../live/apply'
import { reason, useActions } from '../media/actions'
import { type Format, FORMATS, saveTranscript } from '../media/export'
import { useText } from '../text'
import { CloseIcon, ExportIcon, RetryIcon, StopIcon, TrashIcon } from '../ui/icons'
import { useMay } from '../ui/may'
import { useNotices } from '../ui/notices'
import { Button, Confirm, IconButton, Menu } from '../ui/parts'

export function BulkBar({ picked, all, onSelect }: { picked: MediaSummary[]; all: MediaSummary[]; onSelect: (ids: ReadonlySet<string>) => void }) {
  const text = useText()
  const client = useQueryClient()
  const actions = useActions()
  const { show } = useNotices()
  const [asking, setAsking] = useState<'' | 'cancel' | 'remove'>('')
  const [busy, setBusy] = useState<{ done: number; of: number } | null>(null)
  const statusOf = (m: MediaSummary) => client.getQueryData<Status>(keys.status(m.id)) ?? (m as Pick<Status, 'status' | 'task_id'>)
  const may = useMay()
  const active = picked.filter((m) => isActive(statusOf(m).status))
  const retryable = picked.filter((m) => isRetryable(statusOf(m).status))
  const exportable = picked.filter((m) => ['completed', 'partial_failure'].includes(statusOf(m).status))
  const removable = picked.filter((m) => !isActive(statusOf(m).status))

  const each = async (some: MediaSummary[], run: (m: MediaSummary) => Promise<void>, said: (n: number) => string, unsaid = text.bulkFailed) => {
    let done = 0
    let failed = 0
    let why = ''
    for (const m of some) {
      setBusy({ done: done + failed, of: some.length })
      try {
        await run(m)
        done += 1
      } catch (error) {
        failed += 1
        why = reason(error)
      }
    }
    setBusy(null)
    if (done > 0) show({ text: said(done) })
    if (failed > 0) show({ text: unsaid(failed, why), tone: 'bad' })
    onSelect(new Set())
  }
  const taskOf = (m: MediaSummary) => statusOf(m).task_id ?? ''
  const exportAll = async (format: Format) => {
    const names = new Set<string>()
    await each(
      exportable,
      (m) => saveTranscript(m, format, text, names),
      (n) => `${text.exportAs}: ${n}`,
      text.exportFailed,
    )
  }
  return (
    <div className="bulk" role="toolbar" aria-label={text.selected(picked.length)} aria-busy={busy !== null}>
      <IconButton label={text.unselect} disabled={busy !== null} onClick={() => onSelect(new Set())}>
        <CloseIcon />
      </IconButton>
      <strong role="status">{busy ? text.uploadOf(String(busy.done), String(busy.of)) : text.selected(picked.length)}</strong>
      {!busy && picked.length < all.length && (
        <button type="button" className="link" onClick={() => onSelect(new Set(all.map((m) => m.id)))}>
          {text.selectAll}
        </button>
      )}
      <span className="grow" />
      {may.change && active.length > 0 && (
        <Button small icon={<StopIcon />} disabled={busy !== null} onClick={() => setAsking('cancel')}>
          {text.cancel}
        </Button>
      )}
      {may.change && retryable.length > 0 && (
        <Button small icon={<RetryIcon />} disabled={busy !== null} onClick={() => void each(retryable, (m) => actions.retry(taskOf(m)), text.retriedN)}>
          {text.retry}
        </Button>
      )}
      {exportable.length > 0 && !busy && (
        <Menu
          label={text.exportAs}
          button={
            <>
              <ExportIcon />
              <span>{text.exportAs}</span>
            </>
          }
          items={FORMATS.map((f) => ({ label: f.toUpperCase(), onPick: () => void exportAll(f) }))}
        />
      )}
      {may.change && (
        <Button small kind="danger" icon={<TrashIcon />} disabled={busy !== null || removable.length === 0} title={removable.length === 0 ? text.removeActive : undefined} onClick={() => setAsking('remove')}>
          {text.remove}
        </Button>
      )}
      {asking === 'cancel' && (
        <Confirm title={text.cancelAskN(active.length)} hint={text.cancelKeep} yes={text.cancelYes} no={text.cancelNo} onYes={() => void each(active, (m) => actions.cancel(taskOf(m)), text.cancelledN)} onClose={() => setAsking('')} />
      )}
      {asking === 'remove' && (
        <Confirm danger title={text.removeAsk(removable.length)} hint={text.removeHint} yes={text.remove} no={text.close} onYes={() => void each(removable, (m) => actions.remove(m.id), text.deleted)} onClose={() => setAsking('')} />
      )}
    </div>
  )
}
