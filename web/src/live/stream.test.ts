import { describe, expect, it } from 'vitest'
import type { LiveMessage } from '../api/types'
import { type Connection, type EventSourceLike, LiveStream } from './stream'

class FakeSource implements EventSourceLike {
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  onmessage: ((event: { data: string; lastEventId: string }) => void) | null = null
  closed = false
  constructor(readonly url: string) {}
  close() {
    this.closed = true
  }
  send(message: object, seq: number) {
    this.onmessage?.({ data: JSON.stringify(message), lastEventId: String(seq) })
  }
}

function stage() {
  const sources: FakeSource[] = []
  const messages: LiveMessage[] = []
  const states: Connection[] = []
  const returned: boolean[] = []
  const all: { run: () => void; ms: number; cleared?: true }[] = []
  let alive = true
  const stream = new LiveStream(
    {
      open: (url) => {
        const source = new FakeSource(url)
        sources.push(source)
        return source
      },
      probe: async () => alive,
      setTimer: (run, ms) => all.push({ run, ms }),
      clearTimer: (timer) => {
        all[timer - 1] = { run: () => {}, ms: all[timer - 1]?.ms ?? 0, cleared: true }
      },
    },
    { message: (m) => messages.push(m), connection: (c) => states.push(c), returned: (replayed) => returned.push(replayed) },
  )
  const last = () => {
    const source = sources[sources.length - 1]
    if (!source) throw new Error('nothing was opened')
    return source
  }
  const settle = async () => {
    for (let i = 0; i < 5; ++i) await Promise.resolve()
  }
  /** Twenty seconds pass without a message. */
  const silence = async () => {
    const watch = all.find((t) => t.ms === 20_000 && !t.cleared)
    if (!watch) throw new Error('nobody looks after the line')
    watch.cleared = true
    watch.run()
    await settle()
  }
  return {
    stream,
    sources,
    messages,
    states,
    returned,
    last,
    settle,
    silence,
    setAlive: (is: boolean) => (alive = is),
    get timers() {
      return all.filter((t) => t.ms !== 20_000)
    },
    get watched() {
      return all.some((t) => t.ms === 20_000 && !t.cleared)
    },
  }
}

describe('the event stream', () => {
  it('begins with a snapshot and goes on after the last event that was seen', async () => {
    const s = stage()
    s.stream.start()
    expect(s.last().url).toBe('/api/v1/events')
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 7 }, 7)
    s.last().send({ type: 'task.state', seq: 9 }, 9)
    expect(s.messages.map((m) => m.type)).toEqual(['snapshot', 'task.state'])
    s.last().onerror?.()
    await s.settle()
    expect(s.states).toEqual(['live', 'lost'])
    s.timers[0]?.run()
    expect(s.last().url).toBe('/api/v1/events?after=9')
    s.last().onopen?.()
    expect(s.states).toEqual(['live', 'lost', 'live'])
    expect(s.returned).toEqual([true])
  })

  it('waits longer after each failure, and tries at once when told to hurry', async () => {
    const s = stage()
    s.setAlive(false)
    s.stream.start()
    for (let i = 0; i < 7; ++i) {
      s.last().onerror?.()
      await s.settle()
      s.timers[s.timers.length - 1]?.run()
    }
    expect(s.timers.map((t) => t.ms)).toEqual([300, 600, 1200, 2400, 4000, 4000, 4000])
    s.last().onerror?.()
    await s.settle()
    const opened = s.sources.length
    s.stream.hurry()
    expect(s.sources.length).toBe(opened + 1)
    s.stream.hurry()
    expect(s.sources.length, 'one at a time').toBe(opened + 1)
  })

  it('begins anew where the server answers, but no longer has the events', async () => {
    const s = stage()
    s.stream.start()
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 7 }, 7)
    s.last().onerror?.()
    await s.settle()
    s.timers[0]?.run()
    s.last().onerror?.() // 410, which cannot be read
    await s.settle()
    s.timers[1]?.run()
    expect(s.last().url).toBe('/api/v1/events')
    s.last().onopen?.()
    expect(s.returned).toEqual([false])
  })

  it('keeps its place while the server is away', async () => {
    const s = stage()
    s.stream.start()
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 7 }, 7)
    s.setAlive(false)
    for (let i = 0; i < 3; ++i) {
      s.last().onerror?.()
      await s.settle()
      s.timers[s.timers.length - 1]?.run()
    }
    expect(s.last().url).toBe('/api/v1/events?after=7')
  })

  it('is lost where nothing comes and the server does not answer', async () => {
    const s = stage()
    s.stream.start()
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 7 }, 7)
    await s.silence()
    expect(s.states, 'a server that answers is believed').toEqual(['live'])
    s.setAlive(false)
    await s.silence()
    expect(s.states).toEqual(['live', 'lost'])
    expect(s.last().closed).toBe(true)
    expect(s.watched).toBe(false)
    s.timers[0]?.run()
    expect(s.last().url).toBe('/api/v1/events?after=7')
    await s.silence()
    expect(s.timers.length, 'one that hangs before it is open is given up, too').toBe(2)
  })

  it('is made anew, without a word, where nothing comes for long', async () => {
    const s = stage()
    s.stream.start()
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 7 }, 7)
    for (let i = 0; i < 3; ++i) await s.silence()
    expect(s.sources.map((o) => [o.url, o.closed])).toEqual([
      ['/api/v1/events', true],
      ['/api/v1/events?after=7', false],
    ])
    s.last().onopen?.()
    expect(s.states).toEqual(['live'])
    expect(s.returned, 'nothing was missed').toEqual([])
    await s.silence()
    await s.silence()
    s.last().send({ type: 'task.state', seq: 8 }, 8)
    await s.silence()
    expect(s.sources.length, 'what is heard of stays').toBe(2)
  })

  it('gives its connection back while nobody looks', async () => {
    const s = stage()
    s.stream.start()
    s.last().onopen?.()
    s.last().send({ type: 'snapshot', seq: 3 }, 3)
    s.stream.sleep()
    expect(s.last().closed).toBe(true)
    expect(s.watched).toBe(false)
    s.stream.hurry()
    expect(s.sources.length).toBe(1)
    s.stream.wake()
    expect(s.last().url).toBe('/api/v1/events?after=3')
    s.last().onopen?.()
    expect(s.returned).toEqual([true])
  })
})
