// A recording as its parts come in, one of which fails: words while it runs, the strip over the
// waveform, what is missing and why, and the retry of that alone.
import { execFileSync } from 'node:child_process'
import { assert, endAll, expectAccessible, expectChinese, expectFits, expectNoFaults, openContext, openPage, pace, samples, Server, steps, until } from './stage.mjs'

// One part at a time, and none is tried twice.
const server = await new Server({ env: { MAX_RETRY_ATTEMPTS: '0', MAX_CONCURRENT_TRANSCRIPTIONS: '1' } }).start()
const context = await openContext(server)
const three = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-stream_loop', '1', '-i', `${samples}/talk.ogg`, '-t', '90', '-c', 'copy', '-f', 'ogg', '-'], { maxBuffer: 64 << 20 })
const { id, task_id: task } = await server.upload('讲座.ogg', three)
const page = await openPage(context, server, `#/media/${id}`)
const units = async () => (await server.api(`/api/v1/tasks/${task}/units`)).items.filter((u) => u.step === 'transcribe')

/** What the window says in one moment; null: it no longer runs. The strip is told by its words, and by its colours in the middle of each part. */
const shown = (parts) =>
  page.evaluate((parts) => {
    const canvas = document.querySelector('canvas.wave')
    const words = /(\d+) of (\d+) parts done(?:, (\d+) failed)?/.exec(document.querySelector('[data-testid=strip]')?.textContent ?? '')
    if (!words || !canvas || document.querySelector('[data-testid=progress]')?.dataset.status !== 'processing') return null
    const [done, all, failed] = words.slice(1).map((n) => Number(n ?? 0))
    const length = parts.at(-1)?.end ?? 1
    const at = (seconds) => canvas.getContext('2d').getImageData(Math.floor((canvas.width * seconds) / length), canvas.height - 2, 1, 1).data.join()
    return { done, all, failed, colours: parts.map((p) => at((p.start + p.end) / 2)), words: document.querySelectorAll('.segment .w').length, gaps: document.querySelectorAll('.gap').length }
  }, parts)

await steps({
  async 'a part that fails is marked in the strip, and told where its words would be, while the others go on'() {
    await until('a part is recognised', async () => (await units()).some((u) => u.status === 'processing' && u.audio_done_seconds > 0))
    process.kill(Number(await server.holdOneAtWork()), 'SIGKILL')
    // What goes on stands still until it was seen.
    await until('a part has failed', async () => {
      server.hold()
      return (await units()).some((u) => u.status === 'failed')
    })
    const parts = await units()
    const bad = parts.findIndex((u) => u.status === 'failed')
    await until('the strip says so, and its colour is its own', async () => {
      server.hold() // who is started in its place, too
      const now = await shown(parts)
      return now?.failed === 1 && now.done === 0 && now.gaps === 1 && now.colours.every((c, i) => i === bad || c !== now.colours[bad])
    })
  },

  async 'words come and the strip fills while it runs'() {
    const parts = await units()
    const before = await shown(parts)
    server.hold('SIGCONT')
    await until('the next part is done', async () => (await units()).some((u) => u.status === 'completed'))
    server.hold()
    // In one moment: a part is done, its words are there, the strip has changed, and the next part still runs.
    await until('a part is done', async () => {
      const now = await shown(parts)
      const changed = now?.colours.filter((c, i) => c !== before.colours[i]).length ?? 0
      return now !== null && now.done >= 1 && now.done + now.failed < now.all && now.words > 10 && changed >= 1
    })
    server.hold('SIGCONT')
  },

  async 'what is missing is told with its reason and what to do, in both themes'() {
    await server.until(id, 'partial_failure')
    const outcome = page.locator('[data-testid=outcome][data-status=partial_failure]')
    await outcome.getByText('1 part could not be transcribed. The rest is below.').waitFor()
    await outcome.getByText(/killed the worker/).waitFor()
    await page.locator('.gap').getByText(/^Missing from 0:00 to .*killed the worker/).waitFor()
    await page.getByTestId('attempts').locator('summary').click()
    await page.locator('[data-testid=attempts] li[data-outcome=failed]').first().waitFor()
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await expectAccessible(page, `with a part missing, ${colorScheme}`)
    }
  },

  async 'in Chinese, too, on a phone'() {
    const phone = await openContext(server, { locale: 'zh-CN', viewport: { width: 390, height: 800 } })
    const small = await openPage(phone, server, `#/media/${id}`)
    await small.locator('.gap').first().getByText(/缺失/).waitFor()
    await expectChinese(small, 'with a part missing')
    await expectFits(small, 'with a part missing')
    expectNoFaults(phone)
    await phone.close()
  },

  async 'retry changes the state at once, and does what is missing alone'() {
    const finished = (list) => list.filter((u) => u.status === 'completed').map((u) => u.completed_at)
    const before = finished(await units())
    const tookMs = page.evaluate(
      () =>
        new Promise((done) => {
          let at = 0
          addEventListener('click', () => (at = performance.now()), { capture: true, once: true })
          const observer = new MutationObserver(() => {
            if (!document.querySelector('[data-testid=progress]')) return
            observer.disconnect()
            done(performance.now() - at)
          })
          observer.observe(document.body, { subtree: true, childList: true })
        }),
    )
    const slowest = await pace(page) // how long anything takes on this machine meanwhile
    await page.getByRole('button', { name: 'Retry what is missing' }).click()
    const ms = await tookMs
    const plain = await slowest()
    console.log(`retry: seen after ${Math.round(ms)} ms; a request and a frame take ${Math.round(plain)} ms`)
    assert(ms <= 500 + 10 * plain, `${ms} ms`)
    await server.until(id, 'completed')
    await page.locator('.gap').waitFor({ state: 'detached' })
    assert.deepEqual(finished(await units()).filter((at) => before.includes(at)).sort(), before.sort(), 'the parts that were done stayed')
    assert.equal(await page.getByTestId('outcome').count(), 0)
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
await server.stop()
