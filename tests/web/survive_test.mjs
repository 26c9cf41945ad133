// What goes wrong: a reload in the middle of an upload, a server killed under an open page.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { assert, endAll, expectAccessible, expectChinese, expectFits, expectNoFaults, openContext, openPage, samples, Server, steps, tone, until, work } from './stage.mjs'

const server = await new Server().start()
const context = await openContext(server)
const page = await openPage(context, server)
const big = `${work}/big.wav`
const length = 40 << 20
const wav = Buffer.concat([tone(60, 5), Buffer.alloc(length)])
wav.writeUInt32LE(wav.length - 8, 4)
wav.writeUInt32LE(wav.length - 44, 40)
writeFileSync(big, wav)
const row = (title) => page.locator('.row', { has: page.getByRole('link', { name: title, exact: true }) })
const offset = async () => {
  const url = await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).map((k) => JSON.parse(localStorage[k]).uploadUrl)[0])
  return url ? (await server.api(new URL(url, server.url).pathname)).offset : 0
}
async function slow(bytesPerSecond) {
  const session = await context.newCDPSession(page)
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond })
  return session
}

const units = async (server, task) => (await server.api(`/api/v1/tasks/${task}/units`)).items
/** The process id of a speech worker of the server that uses the processor. */
async function busyWorker(server) {
  const used = () => {
    const times = new Map()
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
        if (Number(stat[1]) === server.child.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0speech')) times.set(Number(pid), Number(stat[11]))
      } catch {
        // It has ended.
      }
    }
    return times
  }
  const before = used()
  return until('a worker is busy', () => [...used()].find(([pid, ticks]) => ticks > (before.get(pid) ?? ticks) + 3)?.[0])
}

await steps({
  async 'an upload is paused and resumed'() {
    const line = await slow(6 << 20)
    await page.setInputFiles('[data-testid=files]', big)
    await page.locator('.upload[data-state=sending]').waitFor()
    await until('some of it was sent', async () => Number(await page.locator('.upload [role=progressbar]').getAttribute('aria-valuenow')) > 5)
    await page.getByRole('button', { name: 'Pause: big.wav' }).click()
    await page.locator('.upload[data-state=paused]').waitFor()
    await expectAccessible(page, 'uploads')
    const at = await until('the server has it', offset)
    assert(at < wav.length)
    await page.getByRole('button', { name: 'Resume: big.wav' }).click()
    await page.locator('.upload[data-state=sending]').waitFor()
    await until('it goes on', async () => Number(await page.locator('.upload [role=progressbar]').getAttribute('aria-valuenow')) > 20)
    await line.detach()
  },

  async 'a reload in the middle: what came is kept, and the same file goes on from there'() {
    await page.reload()
    await page.locator('.upload[data-state=unfinished]').waitFor()
    const kept = await offset()
    assert(kept > 0 && kept < wav.length, `${kept}`)
    let sent = 0
    page.on('request', (request) => {
      if (request.method() === 'PATCH') sent = Number(request.headers()['upload-offset'])
    })
    await page.setInputFiles('[data-testid=files]', big)
    await page.locator('.upload[data-state=done]').waitFor({ timeout: 60_000 })
    assert.equal(sent, kept, 'it went on where it was')
    await row('big').waitFor()
    const [media] = (await server.api('/api/v1/media?search=big')).items
    assert.equal(media.size_bytes, wav.length)
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).length), 0, 'nothing is left over')
    const task = (await server.status(media.id)).task_id
    await fetch(`${server.url}/api/v1/tasks/${task}/cancel`, { method: 'POST' })
    await server.until(media.id, 'cancelled', 'completed')
  },

  async 'the server is killed under a running task: the page says so, and is right after the restart'() {
    const { id } = await server.upload('talk.m4a', readFileSync(`${samples}/lecture.m4a`))
    await page.goto(`${server.url}/#/media/${id}`)
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await page.locator('[data-step=extract][data-status=completed]').waitFor()
    await server.stop('SIGKILL')
    await page.getByTestId('lost').waitFor()
    await server.start()
    await page.getByTestId('lost').waitFor({ state: 'detached' })
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await page.getByTestId('cancel').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click()
    await page.locator('[data-testid=outcome][data-status=cancelled]').waitFor()
    assert.equal((await server.status(id)).status, 'cancelled')
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

  async 'words come and the strip fills while it runs; a part that fails is marked, and told'() {
    const frail = await new Server({ env: { MAX_RETRY_ATTEMPTS: '0' } }).start()
    const watching = await openContext(frail)
    const { id, task_id: task } = await frail.upload('讲座.ogg', readFileSync(`${samples}/talk.ogg`))
    const view = await openPage(watching, frail, `#/media/${id}`)
    const strip = async () => /(\d+) of (\d+) parts done(?:, (\d+) failed)?/.exec((await view.getByTestId('strip').textContent()) ?? '')?.slice(1, 4).map(Number)
    const runs = () => view.locator('[data-testid=progress][data-status=processing]').count()
    await until('a part is recognised', async () => (await units(frail, task)).some((u) => u.status === 'processing' && u.audio_done_seconds > 0))
    process.kill(await busyWorker(frail), 'SIGKILL')
    await until('a part has failed', async () => (await units(frail, task)).some((u) => u.status === 'failed'))
    await until('the strip says so', async () => (await strip())?.[2] === 1)
    await until('a part is done, and its words are there, while it runs', async () => (await strip())?.[0] >= 1 && (await view.locator('.segment').count()) > 0)
    assert.equal(await runs(), 1)
    // The picture: failed, done and waiting parts have colours of their own.
    const parts = (await units(frail, task)).filter((u) => u.step === 'transcribe')
    const colours = await view.locator('canvas.wave').evaluate(
      (canvas, places) => places.map((x) => canvas.getContext('2d').getImageData(Math.floor(canvas.width * x), canvas.height - 2, 1, 1).data.join()),
      parts.map((u) => (0.98 * u.start + 0.02 * u.end) / parts.at(-1).end),
    )
    const colourOf = (state) => colours[parts.findIndex((u) => u.status === state)]
    assert.notEqual(colourOf('failed'), colourOf('completed'))
    await frail.until(id, 'partial_failure')
    await view.locator('[data-testid=outcome][data-status=partial_failure]').waitFor()
    await view.locator('.gap').first().getByText(/^Missing from .*(killed|died|ended)/).waitFor()
    await expectAccessible(view, 'with a part missing')
    const chinese = await openContext(frail, { locale: 'zh-CN', viewport: { width: 390, height: 800 } })
    const small = await openPage(chinese, frail, `#/media/${id}`)
    await small.locator('.gap').first().getByText(/缺失/).waitFor()
    await expectChinese(small, 'with a part missing')
    await expectFits(small, 'with a part missing')
    await view.getByTestId('retry').click()
    await frail.until(id, 'completed')
    await view.locator('.gap').first().waitFor({ state: 'detached' })
    expectNoFaults(watching)
    await frail.stop()
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
await server.stop()
