// node client.mjs URL MEDIA_FILE SERVER_PID: a page with an EventSource in a real browser, which hears
// one upload from its snapshot to its end, and another over the death of the server (SIGKILL, here) and
// its next start (by whoever started this).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'

const [url, file, serverPid] = process.argv.slice(2)
const media = await readFile(file)

async function upload(name) {
  const answer = await fetch(`${url}/api/v1/media?filename=${name}.wav`, {
    method: 'POST', headers: { 'Content-Type': 'audio/wav' }, body: media,
  })
  assert.equal(answer.status, 201)
  return (await answer.json()).task_id
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const page = await browser.newPage()
await page.goto(`${url}/health/live`)  // any page of the server's own
await page.evaluate(() => {
  window.heard = []
  window.opened = 0
  const events = new EventSource('/api/v1/events')
  events.onopen = () => { window.opened += 1 }
  events.onmessage = (event) => { window.heard.push({ id: event.lastEventId, ...JSON.parse(event.data) }) }
})

const untilHeard = (what, argument) => page.waitForFunction(what, argument, { polling: 50, timeout: 200_000 })
const untilCompleted = (task) => untilHeard((id) => window.heard.some(
  (event) => event.type === 'task.state' && event.task_id === id && event.data.state === 'completed'), task)

await untilHeard(() => window.heard.length > 0)
await untilCompleted(await upload('first'))
const second = await upload('second')
process.kill(Number(serverPid), 'SIGKILL')
await untilCompleted(second)

const { heard, opened } = await page.evaluate(() => ({ heard: window.heard, opened: window.opened }))
await browser.close()
const [snapshot, ...events] = heard
assert.equal(opened, 2, 'the browser came back once')
assert.equal(snapshot.type, 'snapshot')
assert.equal(snapshot.id, String(snapshot.seq))

// All that was recorded since, but for progress that newer progress overtook: each once, in order.
const recorded = []
const last = events.at(-1).seq
const stream = await fetch(`${url}/api/v1/events?after=${snapshot.seq}`)
let text = ''
for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) {
  text += piece
  const messages = text.split('\n\n')
  text = messages.pop()
  for (const message of messages) {
    const data = message.split('\n').find((line) => line.startsWith('data: '))
    if (data) recorded.push(JSON.parse(data.slice(6)))
  }
  if (recorded.at(-1)?.seq >= last) break
}
const lasting = (list) => list.filter((event) => event.type !== 'task.progress' && event.seq <= last).map((event) => `${event.seq} ${event.type}`)
assert.deepEqual(lasting(events), lasting(recorded))
assert.ok(events.every((event, at) => at === 0 || event.seq > events[at - 1].seq), 'numbers only grow')
assert.ok(events.every((event) => event.id === String(event.seq)), 'the id is the number')
assert.ok(lasting(events).length > 10)
console.log(`${events.length} events, none missed and none doubled`)
