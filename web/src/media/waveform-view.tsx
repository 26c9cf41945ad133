// The waveform as a picture on a canvas, with the strip of chunks under it, drawn again only where
// something has changed. The slider over it is what hands and keyboards use.
import { useEffect, useRef } from 'react'
import type { Gap, Unit, Waveform } from '../api/types'
import type { Player } from './player'
import { barsOf, scaleOf, stripOf } from './waveform'

const BAR = 2
const STEP = 3
const STRIP = 4

export function WaveformView(props: { player: Player; waveform: Waveform | null; duration: number; chunks: Unit[]; gaps: Gap[]; active: boolean }) {
  const { player, waveform, duration, chunks, gaps, active } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d')
    if (!element || !context) return
    let bars: Float32Array = new Float32Array(0)
    let scale = 1
    let width = 0
    let height = 0
    let drawnAt = -1
    let time = 0
    const strip = stripOf(chunks)
    // Through `color`, where the browser has chosen between light and dark.
    const colour = (name: string) => {
      element.style.color = `var(${name})`
      return getComputedStyle(element).color
    }
    let colours = { played: '', rest: '', missing: '', done: '', run: '', bad: '', line: '' }
    const readColours = () => {
      colours = {
        played: colour('--accent'),
        rest: colour('--wave'),
        missing: colour('--bad-soft'),
        done: colour('--accent'),
        run: colour('--accent-soft'),
        bad: colour('--bad'),
        line: colour('--line'),
      }
    }
    const draw = () => {
      const x = duration > 0 ? (time / duration) * width : 0
      drawnAt = Math.round(x)
      context.clearRect(0, 0, width, height)
      const waveHeight = height - (strip.length > 0 && active ? STRIP + 6 : 0)
      const middle = waveHeight / 2
      for (const gap of gaps) {
        context.fillStyle = colours.missing
        context.fillRect((gap.start / duration) * width, 0, Math.max(2, ((gap.end - gap.start) / duration) * width), waveHeight)
      }
      for (let i = 0; i < bars.length; ++i) {
        const left = i * STEP
        const tall = Math.max(2, Math.min(1, (bars[i] ?? 0) * scale) * (waveHeight - 4))
        context.fillStyle = left < x ? colours.played : colours.rest
        context.beginPath()
        context.roundRect(left, middle - tall / 2, BAR, tall, 1)
        context.fill()
      }
      if (bars.length === 0) {
        context.fillStyle = colours.line
        context.fillRect(0, middle - 1, width, 2)
      }
      if (strip.length > 0 && active && duration > 0) {
        const top = height - STRIP
        for (const part of strip) {
          const left = (part.start / duration) * width
          const right = (part.end / duration) * width
          const gap = right - left > 4 ? 1 : 0
          context.fillStyle = part.state === 'failed' ? colours.bad : colours.line
          context.fillRect(left, top, Math.max(1, right - left - gap), STRIP)
          if (part.until > part.start && part.state !== 'failed') {
            context.fillStyle = colours.done
            context.globalAlpha = part.state === 'processing' ? 0.55 : 1
            context.fillRect(left, top, Math.max(1, (part.until / duration) * width - left - gap), STRIP)
            context.globalAlpha = 1
          }
        }
      }
      if (x > 0) {
        context.fillStyle = colours.played
        context.fillRect(Math.min(width - 2, x), 0, 2, waveHeight)
      }
    }
    const resize = () => {
      const ratio = devicePixelRatio || 1
      width = element.clientWidth
      height = element.clientHeight
      element.width = Math.round(width * ratio)
      element.height = Math.round(height * ratio)
      context.setTransform(ratio, 0, 0, ratio, 0, 0)
      bars = waveform && duration > 0 && width > 0 ? barsOf(waveform, Math.max(1, Math.floor(width / STEP)), duration) : new Float32Array(0)
      scale = bars.length > 0 ? scaleOf(bars) : 1
      draw()
    }
    readColours()
    resize()
    const observer = new ResizeObserver(resize)
    observer.observe(element)
    const off = player.onTime((seconds) => {
      time = seconds
      // A pixel is the least that can be seen.
      if (Math.round(duration > 0 ? (seconds / duration) * width : 0) !== drawnAt) draw()
    })
    const recolour = () => {
      readColours()
      draw()
    }
    const theme = new MutationObserver(recolour)
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', recolour)
    return () => {
      off()
      observer.disconnect()
      theme.disconnect()
      dark.removeEventListener('change', recolour)
    }
  }, [player, waveform, duration, chunks, gaps, active])
  return <canvas ref={canvas} className="wave" aria-hidden="true" />
}
