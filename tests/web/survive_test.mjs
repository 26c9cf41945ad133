// What goes wrong: a reload in the middle of an upload, a server killed under an open page.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { assert, endAll, expectAccessible, expectNoFaults, openContext, openPage, samples, Server, steps, tone, until, work } from './stage.mjs'

const server = await new Server().start()
const context = await openContext(server)
const page = await openPage(context, server)
const big = `${work}/big.wav`
const length = 40 << 20
const wav = Buffer.concat([tone(60, 5), Buffer.alloc(length)])
wav.writeUInt32LE(wav.length - 8, 4)
wav.writeUInt32LE(wav.length - 44, 40)
writeFileSync(big, wav)
const row = (title, where = page) => where.locator('.row', { has: where.getByRole('link', { name: title, exact: true }) })
const offset = async () => {
  const url = await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).map((k) => JSON.parse(localStorage[k]).uploadUrl)[0])
  return url ? (await server.api(new URL(url, server.url).pathname)).offset : 0
}
let line = null
async function slow(bytesPerSecond) {
  const session = await context.newCDPSession(page)
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond })
  return session
}

await steps({
  async 'an upload is paused and resumed'() {
    line = await slow(2 << 20) // so slow that it is not through before it is stopped on any machine
    await page.setInputFiles('[data-testid=files]', big)
    await page.locator('.upload[data-state=sending]').waitFor()
    await until('some of it was sent', async () => Number(await page.locator('.upload [role=progressbar]').getAttribute('aria-valuenow')) > 2)
    await page.getByRole('button', { name: 'Pause: big.wav' }).click()
    await page.locator('.upload[data-state=paused]').waitFor()
    const at = await until('the server has it', offset)
    assert(at < wav.length)
    await page.getByRole('button', { name: 'Resume: big.wav' }).click()
    await page.locator('.upload[data-state=sending]').waitFor()
    await until('it goes on', async () => Number(await page.locator('.upload [role=progressbar]').getAttribute('aria-valuenow')) > 8)
  },

  async 'a server that is killed under an upload: no speed is told, and it goes on by itself'() {
    const sent = async () => Number(await page.locator('.upload [role=progressbar]').getAttribute('aria-valuenow'))
    const upload = page.locator('.upload', { hasText: 'big.wav' })
    await upload.getByText('MB/s').waitFor()
    await server.stop('SIGKILL')
    await upload.getByText('MB/s').waitFor({ state: 'detached' })
    const before = await sent()
    await server.start()
    await until('it goes on', async () => (await sent()) > Math.min(before + 1, 90))
  },

  async 'a reload in the middle asks first; what came is kept, also of what was paused, and the same file goes on from there'() {
    const sent = []
    page.on('request', (request) => {
      if (request.method() === 'PATCH') sent.push(Number(request.headers()['upload-offset']))
    })
    const unfinished = (name) => page.locator('.upload[data-state=unfinished]', { hasText: name })
    // One that the server does not know of yet, and one that it does; both are paused.
    await page.route('**/api/v1/uploads', () => {})
    await page.setInputFiles('[data-testid=files]', `${samples}/short.wav`)
    for (const name of ['short.wav', 'big.wav']) await page.getByRole('button', { name: `Pause: ${name}` }).click()
    await page.reload()
    assert.equal(context.askedToStay, 1)
    for (const name of ['short.wav', 'big.wav']) await unfinished(name).waitFor()
    await page.unroute('**/api/v1/uploads')
    const paused = await offset()
    assert(paused > 0 && paused < wav.length, `${paused}`)
    sent.length = 0
    await page.setInputFiles('[data-testid=files]', [`${samples}/short.wav`, big])
    await row('short').waitFor()
    await until('it goes on where it was', () => sent.includes(paused))
    await until('more was sent', async () => (await offset()) > paused || Number(await page.locator('.upload[data-state=sending] [role=progressbar]').getAttribute('aria-valuenow')) > (100 * paused) / wav.length + 2)

    await page.reload()
    assert.equal(context.askedToStay, 2)
    await unfinished('big.wav').waitFor()
    const kept = await offset()
    assert(kept > paused && kept < wav.length, `${kept} after ${paused}`)
    await line.detach()
    sent.length = 0
    await page.setInputFiles('[data-testid=files]', big)
    await page.locator('.upload[data-state=done]').waitFor({ timeout: 60_000 })
    assert.equal(sent.at(-1), kept, 'it went on where it was')
    await row('big').waitFor()
    const [media] = (await server.api('/api/v1/media?search=big')).items
    assert.equal(media.size_bytes, wav.length)
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).length), 0, 'nothing is left over')
    const task = (await server.status(media.id)).task_id
    await fetch(`${server.url}/api/v1/tasks/${task}/cancel`, { method: 'POST' })
    await server.until(media.id, 'cancelled', 'completed')
  },

  async 'the server is killed under a running task: the page says so, and is right after the restart'() {
    // Long enough to be cancelled on any machine, also after the restart.
    const long = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-stream_loop', '14', '-i', `${samples}/talk.ogg`, '-c', 'copy', '-f', 'ogg', '-'], { maxBuffer: 64 << 20 })
    const { id } = await server.upload('talk.ogg', long)
    await page.goto(`${server.url}/#/media/${id}`)
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await page.locator('[data-step=extract][data-status=completed]').waitFor()
    await server.stop('SIGKILL')
    await page.getByTestId('lost').waitFor()
    assert.doesNotMatch(await page.getByTestId('detail').innerText(), /left|almost/, 'no time is told that nobody keeps')
    await server.start()
    await page.getByTestId('lost').waitFor({ state: 'detached' })
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await page.getByTestId('cancel').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click()
    await page.locator('[data-testid=outcome][data-status=cancelled]').waitFor()
    assert.equal((await server.status(id)).status, 'cancelled')
  },

  async 'what could not be loaded to be played is loaded once the server is back, and goes on where it was'() {
    const { id } = await server.upload('clip.mp3', readFileSync(`${samples}/clip.mp3`))
    await server.until(id, 'completed')
    await page.route('**/source', (route) => route.abort())
    await page.goto(`${server.url}/#/media/${id}`)
    await page.getByText('The recording could not be loaded.').waitFor()
    assert(await page.getByRole('button', { name: 'Play', exact: true }).isDisabled())
    await expectAccessible(page, 'what could not be loaded')
    await page.locator('.segment .w').nth(2).click()
    const at = Number(await page.getByRole('slider').inputValue())
    assert(at > 0)
    await page.unroute('**/source')
    await server.stop('SIGKILL')
    await page.getByTestId('lost').waitFor()
    await server.start()
    await page.getByText('The recording could not be loaded.').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Play', exact: true }).and(page.locator(':enabled')).click()
    await until('it plays from there', () => page.evaluate((from) => document.querySelector('audio').currentTime > from, at))
    assert(await page.evaluate((from) => document.querySelector('audio').currentTime < from + 10, at))
    await page.getByRole('button', { name: 'Pause playing' }).click()
  },

  async 'a server that hangs is said to be lost, though its line stands'() {
    const window = await context.newPage()
    await window.clock.install()
    await window.goto(`${server.url}/`)
    await window.locator('[data-testid=connection][data-state=live]').waitFor()
    process.kill(server.child.pid, 'SIGSTOP')
    await window.clock.fastForward(20_000)
    await window.getByTestId('lost').waitFor()
    process.kill(server.child.pid, 'SIGCONT')
    await window.getByTestId('lost').waitFor({ state: 'detached' })
    await window.close()
  },

  async 'windows that nobody sees leave their connections to the one that is seen'() {
    const hidden = []
    for (let i = 0; i < 7; ++i) {
      const window = await context.newPage()
      await window.addInitScript(() => Object.defineProperty(document, 'hidden', { get: () => true }))
      await window.goto(`${server.url}/`, { waitUntil: 'commit' })
      hidden.push(window)
    }
    const seen = await openPage(context, server)
    await row('talk', seen).waitFor()
    for (const window of [...hidden, seen]) await window.close()
  },

  async 'what happened while it was away is shown without a reload'() {
    await page.goto(`${server.url}/#/`)
    await row('talk').waitFor()
    await context.setOffline(true)
    await server.stop('SIGKILL')
    await page.getByTestId('lost').waitFor()
    await server.start()
    const renamed = (await server.api('/api/v1/media?search=talk')).items[0]
    await server.api(`/api/v1/media/${renamed.id}`, { method: 'PATCH', json: { title: 'told while away' } })
    const other = await server.upload('came meanwhile.wav', tone(1, 77))
    await server.until(other.id, 'completed')
    await context.setOffline(false)
    await row('told while away').waitFor()
    await until('what came is there and done', async () => (await row('came meanwhile').getAttribute('data-status')) === 'completed')
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
await server.stop()
