import { memo, useState } from 'react'
import { isActive, isRetryable, type MediaSummary } from '../api/types'
import { mediaPath } from '../api/client'
import { useFeatures } from '../api/features'
import { useActions } from '../media/actions'
import { FORMATS, formatName, saveTranscript } from '../media/export'
import { RenameDialog } from '../media/rename'
import { useStatusLine } from '../media/use-status'
import { useText } from '../text'
import { bytes, clock, fullTime, when } from '../text/format'
import { ExportIcon, FilmIcon, RetryIcon, SoundIcon, StopIcon, TrashIcon, PenIcon, UpIcon } from '../ui/icons'
import { Bar, Confirm, IconButton, Menu } from '../ui/parts'
import { useMay } from '../ui/may'
import { mediaHash } from '../ui/route'

const FILMS = /\.(mp4|mkv|webm|mov|avi|m4v|mpg|mpeg|wmv|flv|ts|3gp)$/i

export const Row = memo(function Row(props: {
  item: MediaSummary
  index: number
  total: number
  top: number
  selected: boolean
  onToggle: (id: string) => void
  onFocus: (index: number) => void
  poster: boolean
}) {
  const { item, selected } = props
  const text = useText()
  const actions = useActions()
  const { status, line } = useStatusLine(item.id)
  const [asking, setAsking] = useState<'' | 'cancel' | 'remove' | 'rename'>('')
  const task = status?.task_id
  const may = useMay()
  const features = useFeatures()
  const active = status ? isActive(status.status) : false
  const retryable = may.change && status && task && isRetryable(status.status)
  const menu = [
    ...(status && !active && status.status !== 'failed'
      ? FORMATS.map((format) => ({ label: `${text.exportAs}: ${formatName(format, text)}`, icon: <ExportIcon />, onPick: () => void actions.attempt(() => saveTranscript(item, format, text)) }))
      : []),
    ...(may.change && active && task && !line?.stopping ? [{ label: text.cancel, icon: <StopIcon />, onPick: () => setAsking('cancel') }] : []),
    ...(features.priority && may.change && status?.status === 'pending' && task
      ? [{ label: text.serveNext, icon: <UpIcon />, onPick: () => void actions.attempt(() => actions.serveNext(task)) }]
      : []),
    ...(retryable
      ? [{ label: status.status === 'partial_failure' ? text.retryMissing : text.retry, icon: <RetryIcon />, onPick: () => void actions.attempt(() => actions.retry(task)) }]
      : []),
    ...(may.change
      ? [
          { label: text.rename, icon: <PenIcon />, onPick: () => setAsking('rename') },
          null,
          { label: text.remove, icon: <TrashIcon />, danger: true, disabled: active, onPick: () => setAsking('remove') },
        ]
      : []),
  ]
  return (
    <li
      className={`row ${selected ? 'selected' : ''} ${line?.tone ?? ''}`}
      style={{ transform: `translateY(${props.top}px)` }}
      data-index={props.index}
      data-media={item.id}
      data-status={status?.status}
      aria-setsize={props.total}
      aria-posinset={props.index + 1}
    >
      <label className="row-pick">
        <input type="checkbox" checked={selected} onChange={() => props.onToggle(item.id)} aria-label={text.select(item.title)} />
        <span className="tile" aria-hidden="true">
          {props.poster ? <Poster key={String(item.duration_seconds)} id={item.id} film={FILMS.test(item.filename)} /> : FILMS.test(item.filename) ? <FilmIcon /> : <SoundIcon />}
        </span>
      </label>
      <div className="row-main">
        <a className="row-title" href={mediaHash(item.id)} dir="auto" data-home onFocus={() => props.onFocus(props.index)}>
          {item.title || item.filename}
        </a>
        <div className="row-facts muted">
          {item.duration_seconds !== null && <span className="row-length">{clock(item.duration_seconds)}</span>}
          {item.size_bytes !== null && <span className="row-size">{bytes(item.size_bytes, text.tag)}</span>}
          <time dateTime={item.created_at} title={fullTime(item.created_at, text.tag)}>
            {when(item.created_at, text.tag)}
          </time>
        </div>
      </div>
      <div className="row-state">
        {line && (
          <>
            {line.percent !== null && (
              <Bar percent={line.percent} label={`${text.state(status?.status ?? 'pending')}: ${item.title}`} tone={line.stopping ? 'off' : line.tone} />
            )}
            <div className="row-words">
              <span className={`state ${line.tone}`}>{line.label}</span>
              {line.detail && (
                <span className="muted" dir="auto" title={line.detail}>
                  {line.detail}
                </span>
              )}
            </div>
          </>
        )}
      </div>
      <div className="row-actions">
        {retryable && (
          <IconButton label={`${text.retry}: ${item.title}`} onClick={() => void actions.attempt(() => actions.retry(task))}>
            <RetryIcon />
          </IconButton>
        )}
        {menu.length > 0 && <Menu label={`${text.more}: ${item.title}`} items={menu} />}
      </div>
      {asking === 'cancel' && task && (
        <Confirm title={text.cancelAsk} hint={text.cancelKeep} yes={text.cancelYes} no={text.cancelNo} onYes={() => void actions.attempt(() => actions.cancel(task))} onClose={() => setAsking('')} />
      )}
      {asking === 'remove' && (
        <Confirm danger title={text.removeAsk(1)} hint={text.removeHint} yes={text.remove} no={text.close} onYes={() => void actions.attempt(() => actions.remove(item.id))} onClose={() => setAsking('')} />
      )}
      {asking === 'rename' && <RenameDialog id={item.id} title={item.title} onClose={() => setAsking('')} />}
    </li>
  )
})

function Poster({ id, film }: { id: string; film: boolean }) {
  const [gone, setGone] = useState(false)
  if (!film || gone) return film ? <FilmIcon /> : <SoundIcon />
  return <img src={`${mediaPath(id)}/poster`} alt="" loading="lazy" onError={() => setGone(true)} />
}
