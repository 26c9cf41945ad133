import { useSyncExternalStore } from 'react'
import { useText } from '../text'
import type { Text } from '../text/en'
import { bytes } from '../text/format'
import { CloseIcon, PauseIcon, PlayIcon } from '../ui/icons'
import { Bar, IconButton } from '../ui/parts'
import { mediaHash } from '../ui/route'
import { type UploadEntry, type UploadProblem, uploads } from './store'

export const useUploads = (): UploadEntry[] => useSyncExternalStore(uploads.subscribe, uploads.read)

/** Whether there are any, which changes more rarely than how far they are. */
export const useAnyUpload = (): boolean => useSyncExternalStore(uploads.subscribe, () => uploads.read().length > 0)

function problemLine(problem: UploadProblem | null, text: Text): string {
  if (!problem || problem.status === 0) return text.uploadOffline
  return text.problem(problem.status, problem.code, problem.detail)
}

export function uploadLine(entry: UploadEntry, text: Text): string {
  const done = text.uploadOf(bytes(entry.sent, text.tag), bytes(entry.size, text.tag))
  switch (entry.state) {
    case 'waiting':
      return text.uploadWaiting
    case 'sending':
      return entry.rate > 0
        ? `${done} · ${text.uploadRate(bytes(entry.rate, text.tag), text.about((entry.size - entry.sent) / entry.rate))}`
        : done
    case 'paused':
      return `${text.uploadPaused} · ${done}`
    case 'failed':
      return `${text.uploadFailed} · ${problemLine(entry.error, text)}`
    case 'done':
      return text.uploadDone
    case 'unfinished':
      return `${done} · ${text.uploadUnfinished}`
    case 'elsewhere':
      return `${done} · ${text.uploadElsewhere}`
  }
}

export function UploadPanel() {
  const text = useText()
  const all = useUploads()
  if (all.length === 0) return null
  return (
    <section className="uploads card" aria-label={text.uploads}>
      <header>
        <h2>{text.uploads}</h2>
        {all.some((u) => u.state === 'done') && (
          <button type="button" className="link" onClick={() => uploads.forgetDone()}>
            {text.dismissDone}
          </button>
        )}
      </header>
      <ul role="list">
        {all.map((u) => (
          <li key={u.id} className="upload" data-state={u.state}>
            <div className="upload-text">
              <span className="upload-name" dir="auto">
                {u.name}
              </span>
              <span className="muted">{uploadLine(u, text)}</span>
            </div>
            <Bar percent={u.size > 0 ? (u.sent / u.size) * 100 : 0} label={u.name} tone={u.state === 'failed' ? 'bad' : u.state === 'done' ? 'good' : u.state === 'sending' ? 'run' : 'off'} />
            <div className="upload-buttons">
              {(u.state === 'sending' || u.state === 'waiting') && (
                <IconButton label={`${text.pause}: ${u.name}`} onClick={() => uploads.pause(u.id)}>
                  <PauseIcon />
                </IconButton>
              )}
              {(u.state === 'paused' || u.state === 'failed') && (
                <IconButton label={`${text.resume}: ${u.name}`} onClick={() => uploads.resume(u.id)}>
                  <PlayIcon />
                </IconButton>
              )}
              {u.state === 'done' && u.mediaId && (
                <a className="link" href={mediaHash(u.mediaId)}>
                  {text.open}
                </a>
              )}
              {u.state !== 'elsewhere' && u.state !== 'done' && (
                <IconButton label={`${text.discard}: ${u.name}`} onClick={() => void uploads.discard(u.id)}>
                  <CloseIcon />
                </IconButton>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}
