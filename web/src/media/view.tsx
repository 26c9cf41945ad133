// One recording: how it stands, its sound, its words.
import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { ApiError, api, mediaPath, taskPath } from '../api/client'
import { useFeatures } from '../api/features'
import { type Gap, isActive, isRetryable, type Media, type Segments, type Task, type Unit, type Waveform } from '../api/types'
import { chunksOf, keys } from '../live/apply'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { left } from '../ui/route'
import { bytes, clock, fullTime, when } from '../text/format'
import { Transcript } from '../transcript/view'
import { useTitle } from '../ui/hooks'
import { useMay } from '../ui/may'
import { BackIcon, ExportIcon, PenIcon, RetryIcon, StopIcon, TrashIcon } from '../ui/icons'
import { Button, Confirm, Empty, Loading, Menu } from '../ui/parts'
import { reason, useActions } from './actions'
import { AgainDialog } from './again'
import { Details } from './details'
import { ExportMenu } from './export'
import { PlayerBar } from './player-bar'
import { usePlayer } from './player'
import { ProgressPanel } from './progress'
import { RenameDialog } from './rename'
import { useStatusLine } from './use-status'

// The same at each render: what hangs on them is not made anew.
const NO_GAPS: Gap[] = []
const NO_CHUNKS: Unit[] = []

export function MediaView({ id, at }: { id: string; at: number | null }) {
  const text = useText()
  const features = useFeatures()
  const actions = useActions()
  const may = useMay()
  const { refresher } = useLive()
  const media = useQuery({
    queryKey: keys.media(id),
    queryFn: ({ signal }) =>
      api<Media>(mediaPath(id), { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }),
  })
  const { status, line } = useStatusLine(id)
  const taskId = status?.task_id ?? media.data?.task_id ?? null
  const task = useQuery({
    queryKey: keys.task(taskId ?? ''),
    queryFn: ({ signal }) => api<Task>(taskPath(taskId ?? ''), { signal }),
    enabled: taskId !== null,
    placeholderData: (before) => (before?.media_id === id ? before : undefined),
  })
  const units = useQuery({
    queryKey: keys.units(taskId ?? ''),
    queryFn: ({ signal }) => refresher.timed(keys.units(taskId ?? ''), () => api<{ items: Unit[] }>(`${taskPath(taskId ?? '')}/units`, { signal }).then((u) => u.items)),
    enabled: taskId !== null && features.units,
  })
  const segments = useQuery({
    queryKey: keys.segments(id),
    queryFn: ({ signal }) =>
      refresher.timed(keys.segments(id), () =>
        api<Segments>(`${mediaPath(id)}/segments`, { signal }).catch((error: unknown) => {
          if (error instanceof ApiError && error.code === 'no_transcript') return null
          throw error
        }),
      ),
    enabled: media.data !== null,
  })
  const waveform = useQuery({
    queryKey: keys.waveform(id),
    queryFn: ({ signal }) =>
      api<Waveform>(`${mediaPath(id)}/waveform`, { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }),
    enabled: media.data !== null,
  })
  const chunks = useMemo(() => chunksOf(units.data ?? []), [units.data])
  const [asking, setAsking] = useState<'' | 'cancel' | 'remove' | 'rename' | 'again'>('')
  const player = usePlayer(id)
  useTitle(media.data ? `${media.data.title} · ${text.appName}` : text.appName)

  const duration = media.data?.duration_seconds ?? 0
  // Once for each address: what is asked for anew later leaves the player where it is.
  const sought = useRef<number | null>(null)
  useEffect(() => {
    if (at === sought.current || (at !== null && !segments.isSuccess)) return
    sought.current = at
    if (at !== null) player.seek(at)
  }, [at, segments.isSuccess, player])

  if (media.data === null) {
    return (
      <Empty title={text.notFound}>
        <p className="muted">{text.notFoundText}</p>
        <a className="button plain" href="#/">
          {text.toLibrary}
        </a>
      </Empty>
    )
  }
  if (media.isError) {
    return (
      <Empty title={text.loadFailed}>
        <p className="muted">{reason(media.error)}</p>
        <Button onClick={() => void media.refetch()}>{text.tryAgain}</Button>
      </Empty>
    )
  }
  const m = media.data
  if (!m) return <Loading />

  const state = status?.status ?? m.status
  const active = isActive(state)
  const menu = [
    ...(may.change ? [{ label: text.rename, icon: <PenIcon />, onPick: () => setAsking('rename') }] : []),
    { label: text.source, icon: <ExportIcon />, href: `${mediaPath(id)}/source`, download: true },
    ...(active || !may.change ? [] : [{ label: text.again, icon: <RetryIcon />, onPick: () => setAsking('again') }]),
    ...(may.change ? [null, { label: text.remove, icon: <TrashIcon />, danger: true, disabled: active, onPick: () => setAsking('remove') }] : []),
  ]
  const said = segments.data?.segments.length ?? 0
  const gaps = segments.data?.gaps ?? NO_GAPS
  return (
    <article className="media">
      <header className="media-head">
        <a className="back" href={left.hash} aria-label={text.toLibrary}>
          <BackIcon />
        </a>
        <div className="media-title">
          <h1 dir="auto">{m.title || m.filename}</h1>
          <p className="muted">
            {duration > 0 && <span>{clock(duration)}</span>}
            <span>{m.size_bytes === null ? null : bytes(m.size_bytes, text.tag)}</span>
            <time dateTime={m.created_at} title={fullTime(m.created_at, text.tag)}>
              {when(m.created_at, text.tag)}
            </time>
          </p>
        </div>
        <div className="media-actions">
          {may.change && active && taskId && (
            <Button icon={<StopIcon />} disabled={line?.stopping} onClick={() => setAsking('cancel')} data-testid="cancel">
              {line?.stopping ? text.stopping : text.cancel}
            </Button>
          )}
          {may.change && isRetryable(state) && taskId && (
            <Button kind="primary" icon={<RetryIcon />} onClick={() => void actions.attempt(() => actions.retry(taskId))} data-testid="retry">
              {state === 'partial_failure' ? text.retryMissing : text.retry}
            </Button>
          )}
          {(state !== 'failed' || said > 0) && <ExportMenu media={id} none={segments.isSuccess && said === 0 ? (active ? text.nothingYet : text.nothingToExport) : null} text={text} />}
          <Menu label={text.more} items={menu} />
        </div>
      </header>
      <div className="media-grid">
        <div className="media-main">
          {line && status && <ProgressPanel status={status} line={line} task={task.data} media={m} />}
          <PlayerBar player={player} media={m} waveform={waveform.data ?? null} chunks={chunks} gaps={gaps} active={active} />
          {(state !== 'failed' || said > 0) && <Transcript media={m} state={state} data={segments.data ?? null} player={player} loading={segments.isPending} chunks={gaps.length > 0 ? chunks : NO_CHUNKS} />}
        </div>
        <aside className="media-side">
          <Details media={m} task={task.data} taskId={taskId} />
        </aside>
      </div>
      {asking === 'cancel' && taskId && (
        <Confirm title={text.cancelAsk} hint={text.cancelKeep} yes={text.cancelYes} no={text.cancelNo} onYes={() => void actions.attempt(() => actions.cancel(taskId))} onClose={() => setAsking('')} />
      )}
      {asking === 'again' && <AgainDialog id={id} task={task.data} onClose={() => setAsking('')} />}
      {asking === 'remove' && (
        <Confirm
          danger
          title={text.removeAsk(1)}
          hint={text.removeHint}
          yes={text.remove}
          no={text.close}
          onYes={() =>
            void actions.attempt(() => actions.remove(id)).then((gone) => {
              if (gone) location.hash = '#/'
            })
          }
          onClose={() => setAsking('')}
        />
      )}
      {asking === 'rename' && <RenameDialog id={id} title={m.title} onClose={() => setAsking('')} />}
    </article>
  )
}
