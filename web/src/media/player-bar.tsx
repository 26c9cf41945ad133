// Waveform, strip of chunks, and the buttons of the player.
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import { mediaPath } from '../api/client'
import type { Gap, Media, Unit, Waveform } from '../api/types'
import { useLive } from '../live/provider'
import { useText } from '../text'
import { clock } from '../text/format'
import { PauseIcon, PlayIcon } from '../ui/icons'
import { PlainButton } from '../ui/parts'
import { type Player, RATES, usePlayerState } from './player'
import { WaveformView } from './waveform-view'

const FILMS = /\.(mp4|mkv|webm|mov|avi|m4v|mpg|mpeg|ogv)$/i

export function PlayerBar(props: { player: Player; media: Media; waveform: Waveform | null; chunks: Unit[]; gaps: Gap[]; active: boolean }) {
  const { player, media, waveform, chunks } = props
  const text = useText()
  const state = usePlayerState(player)
  const duration = media.duration_seconds ?? state.duration
  const shown = useRef<HTMLSpanElement>(null)
  const slider = useRef<HTMLInputElement>(null)
  const [film, setFilm] = useState(false)
  // Time is told in every frame; what a frame does not change is not written.
  useEffect(() => {
    let told = ''
    let tenths = -1
    return player.onTime((seconds) => {
      const now = clock(seconds)
      if (now !== told) {
        told = now
        if (shown.current) shown.current.textContent = now
        slider.current?.setAttribute('aria-valuetext', now)
      }
      const at = Math.round(seconds * 10)
      if (at !== tenths) {
        tenths = at
        if (slider.current) slider.current.value = String(at / 10)
      }
    })
  }, [player, duration])
  useEffect(() => {
    player.length = media.duration_seconds ?? Infinity
  }, [player, media.duration_seconds])
  const { connection } = useLive()
  useEffect(() => {
    if (connection === 'live') player.again()
  }, [connection, player])
  const isFilm = FILMS.test(media.filename)
  const done = chunks.filter((c) => c.status === 'completed').length
  const failed = chunks.filter((c) => c.status === 'failed').length
  const src = `${mediaPath(media.id)}/source`
  const mute = state.trouble === 'format'
  const bar = useRef<HTMLElement>(null)
  const present = media.source_available !== false && media.size_bytes !== null
  // What is gone to is not under it, however tall its film is.
  useLayoutEffect(() => {
    const element = bar.current
    if (!element) return
    const root = document.documentElement.style
    const tell = () => {
      const lower = element.offsetHeight === 0 ? 0 : Math.ceil(parseFloat(getComputedStyle(element).top) + element.offsetHeight)
      player.setLower(lower)
      if (lower > 0) root.setProperty('--player-end', `${lower}px`)
      else root.removeProperty('--player-end')
    }
    tell()
    const observer = new ResizeObserver(tell)
    observer.observe(element, { box: 'border-box' })
    return () => {
      observer.disconnect()
      root.removeProperty('--player-end')
    }
  }, [player, present])
  if (!present) return null
  return (
    // What is no recording has nothing to show.
    <section ref={bar} className={`player card ${film ? 'film' : ''}`} aria-label={text.play} hidden={mute && waveform === null}>
      {isFilm ? (
        <video
          ref={player.attach}
          src={src}
          poster={`${mediaPath(media.id)}/poster`}
          preload="metadata"
          playsInline
          onLoadedMetadata={(e) => setFilm(e.currentTarget.videoWidth > 0)}
          onClick={() => player.toggle()}
        />
      ) : (
        <audio ref={player.attach} src={src} preload="metadata" />
      )}
      <div className="player-wave">
        <WaveformView player={player} waveform={waveform} duration={duration} chunks={chunks} gaps={props.gaps} active={props.active} />
        <input
          ref={slider}
          className="player-seek"
          type="range"
          min={0}
          max={duration || 1}
          step={0.1}
          defaultValue={0}
          aria-label={text.seek}
          disabled={duration === 0}
          onInput={(e) => player.seek(Number(e.currentTarget.value))}
        />
      </div>
      {chunks.length > 0 && props.active && (
        <span className="sr-only" data-testid="strip">
          {text.stripLegend(done, chunks.length, failed)}
        </span>
      )}
      <div className="player-buttons">
        {!mute && (
          <PlainButton className="play" aria-label={state.playing ? text.pausePlayer : text.play} disabled={state.trouble !== ''} onClick={() => player.toggle()}>
            {state.playing ? <PauseIcon /> : <PlayIcon />}
          </PlainButton>
        )}
        <span className="player-time">
          <span ref={shown}>0:00</span>
          <span className="muted"> / {clock(duration)}</span>
        </span>
        <span className="player-trouble" role="status">
          {mute && (
            <>
              {text.cannotPlay}{' '}
              <a className="link" href={src} download>
                {text.downloadIt}
              </a>
            </>
          )}
          {state.trouble === 'away' && text.soundAway}
        </span>
        {chunks.length > 0 && props.active && (
          <span className="muted player-note" aria-hidden="true">
            {text.stripLegend(done, chunks.length, failed)}
          </span>
        )}
        {!mute && (
          <label className="select small">
            <span className="sr-only">{text.playbackRate}</span>
            <select value={state.rate} onChange={(e) => player.setRate(Number(e.target.value))}>
              {RATES.map((r) => (
                <option key={r} value={r}>
                  {r}×
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
    </section>
  )
}
