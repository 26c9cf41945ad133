// node client.mjs URL MEDIA_FILE: listens as applications do, uploads, and checks what it hears.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import WebSocket from 'ws'

const [url, file] = process.argv.slice(2)
const socketUrl = url.replace(/^http/, 'ws')

// Messages of a socket, one after the other.
function messages(socket) {
  const waiting = []
  let wake = null
  let ended = false
  socket.on('message', (data) => { waiting.push(JSON.parse(data)); wake?.() })
  socket.on('close', () => { ended = true; wake?.() })
  return async () => {
    while (waiting.length === 0) {
      assert.ok(!ended, 'the socket was closed')
      await new Promise((resolve) => { wake = resolve })
    }
    return waiting.shift()
  }
}

const socket = new WebSocket(`${socketUrl}/api/v1/ws?type=task.*`)
const next = messages(socket)
const snapshot = await next()
assert.equal(snapshot.type, 'snapshot')
assert.deepEqual(snapshot.tasks, [])

const created = await (await fetch(`${url}/api/v1/media?filename=short.wav`, {
  method: 'POST', headers: { 'Content-Type': 'audio/wav' }, body: await readFile(file),
})).json()

let seq = snapshot.seq
let first = null
for (let state = ''; state !== 'completed';) {
  const event = await next()
  assert.ok(event.seq > seq, 'numbers only grow')
  seq = event.seq
  first ??= event
  assert.equal(event.task_id, created.task_id)
  assert.ok(event.type.startsWith('task.'))
  if (event.type === 'task.state') state = event.data.state
}
assert.equal(first.type, 'task.created')

// What came after the first, again.
const again = new WebSocket(`${socketUrl}/api/v1/ws?after=${first.seq}&task_id=${created.task_id}`)
const replayed = await messages(again)()
assert.ok(replayed.seq > first.seq)
again.close(1000)
assert.equal((await once(again, 'close'))[0], 1000)

// Earlier clients.
const earlier = new WebSocket(`${socketUrl}/api/transcription/${created.media_id}/progress`)
const progress = await messages(earlier)()
assert.equal(progress.type, 'progress')
assert.equal(progress.status, 'completed')
assert.equal(progress.progress, 100)
earlier.terminate()

// A page of another site.
const foreign = new WebSocket(`${socketUrl}/api/v1/ws`, { origin: 'http://evil.example' })
const [, refusal] = await once(foreign, 'unexpected-response')
assert.equal(refusal.statusCode, 403)
foreign.on('error', () => {}) // it was never connected
foreign.terminate()

// The server stops: the script that runs this ends it when it reads the line.
console.log('listening')
assert.equal((await once(socket, 'close'))[0], 1001)
