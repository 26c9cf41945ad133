// The page in use: upload, progress, words as they come, cancel, retry, export, two windows.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { assert, endAll, expectAccessible, expectChinese, expectFits, expectNoFaults, focusOf, openContext, openPage, pace, samples, Server, steps, tone, until, work } from './stage.mjs'

const server = await new Server().start()
const context = await openContext(server)
const page = await openPage(context, server)
const other = await openPage(context, server)
const row = (where, title) => where.locator('.row', { has: where.getByRole('link', { name: title, exact: true }) })
const state = (where, title) => row(where, title).getAttribute('data-status')
let media = ''

/** Whether the words were seen in the window before the state is reached, however short they stood. */
const sawBefore = (where, words, end) =>
  where.evaluate(
    ([words, end]) =>
      new Promise((done) => {
        let seen = false
        const observer = new MutationObserver(() => {
          seen ||= document.querySelector('main').textContent.includes(words)
          if (!document.querySelector(end)) return
          observer.disconnect()
          done(seen)
        })
        observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })
      }),
    [words, end],
  )
/** When the element is there first, by the clock of this machine. */
const thereAt = (where, selector) =>
  where.evaluate(
    (selector) =>
      new Promise((done) => {
        const look = () => document.querySelector(selector) && (observer.disconnect(), done(Date.now()))
        const observer = new MutationObserver(look)
        observer.observe(document.body, { subtree: true, childList: true, attributes: true })
        look()
      }),
    selector,
  )
const focused = (where) => where.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.tagName)

await steps({
  async 'an empty library says what to do, and is accessible'() {
    await page.getByRole('heading', { name: 'Nothing here yet' }).waitFor()
    await expectAccessible(page, 'empty library')
  },

  async 'the first load is at most 200 KB'() {
    const fresh = await openContext(server)
    const first = await fresh.newPage()
    const session = await fresh.newCDPSession(first)
    await session.send('Network.enable')
    let bytes = 0
    session.on('Network.loadingFinished', (e) => (bytes += e.encodedDataLength))
    await first.goto(`${server.url}/`)
    await first.locator('[data-testid=connection][data-state=live]').waitFor()
    await first.getByRole('heading', { name: 'Nothing here yet' }).waitFor()
    await first.waitForTimeout(0)
    console.log(`first load: ${bytes} bytes over the network`)
    assert(bytes > 30_000 && bytes <= 200_000, `${bytes} bytes`)
    // On a slow line it is said that it loads, from the first bytes on and until there is something to see.
    const slow = await fresh.newPage()
    const asked = ['**/assets/index-*.js', '**/api/v1/session', '**/api/v1/media?limit*'].map((what) => new Promise((done) => slow.route(what, done, { times: 1 })))
    await slow.goto(`${server.url}/`, { waitUntil: 'commit' })
    for (const request of asked) {
      const route = await request
      await slow.getByText('Loading…').waitFor()
      await route.continue()
    }
    await slow.getByRole('heading', { name: 'Nothing here yet' }).waitFor()
    await slow.getByText('Loading…').waitFor({ state: 'detached' })
    await fresh.close()
  },

  async 'uploads on their way, waiting, paused and stopped are accessible in both themes, in Chinese, and on a phone'() {
    const small = await openContext(server, { locale: 'zh-CN', viewport: { width: 390, height: 800 } })
    for (const where of [await openPage(await openContext(server), server), await openPage(small, server)]) {
      const english = where.context() !== small
      // The first is refused, the others are not answered.
      await where.route('**/api/v1/uploads', (route) => {
        const refused = route.request().headers()['upload-metadata'].includes(Buffer.from('1.wav').toString('base64'))
        if (refused) return route.fulfill({ status: 507, contentType: 'application/problem+json', body: JSON.stringify({ code: 'storage_full', detail: 'The disk is full.', status: 507 }) })
      })
      await where.setInputFiles('[data-testid=files]', [1, 2, 3, 4, 5].map((i) => ({ name: `${i}.wav`, mimeType: 'audio/wav', buffer: tone(0.1, i) })))
      const upload = (name, state) => where.locator(`.upload[data-state=${state}]`, { hasText: name })
      await upload('1.wav', 'failed').getByText(english ? /^Stopped · The disk is full\.$/ : /^已停止 · [^a-z]+$/i).waitFor()
      await where.getByRole('button', { name: english ? 'Pause: 2.wav' : '暂停: 2.wav' }).click()
      for (const [name, state] of [['2.wav', 'paused'], ['3.wav', 'sending'], ['4.wav', 'sending'], ['5.wav', 'waiting']]) await upload(name, state).waitFor()
      for (const colorScheme of ['light', 'dark']) {
        await where.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await expectAccessible(where, `uploads, ${colorScheme}`)
      }
      await expectFits(where, 'uploads')
      if (!english) await expectChinese(where, 'uploads')
      expectNoFaults(where.context())
      await where.context().close()
    }
  },

  async 'a file that is chosen is uploaded, runs, and shows its words; the other window follows'() {
    await page.setInputFiles('[data-testid=files]', `${samples}/short.wav`)
    await row(page, 'short').waitFor()
    await row(other, 'short').waitFor()
    await until('the row says done', async () => (await state(page, 'short')) === 'completed')
    await until('the other window says done', async () => (await state(other, 'short')) === 'completed')
    await page.locator('.upload[data-state=done]').waitFor()
    await page.getByRole('button', { name: 'Hide finished' }).press('Enter')
    await page.locator('.uploads').waitFor({ state: 'detached' })
    await focusOf(page)
    await row(page, 'short').getByRole('link').click()
    await page.getByRole('heading', { level: 1, name: 'short' }).waitFor()
    media = page.url().split('/media/')[1]
    await page.locator('.segment').first().waitFor()
    const words = (await page.locator('.segment-text').allInnerTexts()).join(' ')
    const there = (await server.api(`/api/v1/media/${media}/segments`)).segments.map((s) => s.text).join(' ')
    assert.equal(words, there)
    assert(words.split(' ').length > 3)
    await expectAccessible(page, 'media')
  },

  async 'every format can be exported'() {
    await page.getByRole('button', { name: 'Export' }).click()
    for (const format of ['srt', 'vtt', 'txt', 'json']) {
      assert.equal(await page.getByRole('menuitem', { name: `.${format}` }).getAttribute('href'), `/api/v1/media/${media}/transcript.${format}`)
    }
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: '.srt' }).click()])
    assert.equal(download.suggestedFilename(), 'short.srt')
    const direct = await (await fetch(`${server.url}/api/v1/media/${media}/transcript.srt`)).text()
    assert.equal(readFileSync(await download.path(), 'utf8'), direct)
    assert.match(direct, /^1\r?\n00:00:/)
  },

  async 'a click on a word plays from there, and lights it'() {
    const word = page.locator('.segment .w').nth(2)
    await word.click()
    await until('the word is lit', async () => (await word.getAttribute('class')).includes('lit'))
    await page.keyboard.press('Space')
    await until('it plays', async () => page.evaluate(() => !document.querySelector('audio').paused))
    const before = await page.evaluate(() => document.querySelector('audio').currentTime)
    await until('time passes', async () => (await page.evaluate(() => document.querySelector('audio').currentTime)) > before)
    await page.keyboard.press('Space')
    // The same after a click on the waveform, whose slider has the focus then.
    await page.getByRole('slider').click({ position: { x: 20, y: 20 } })
    await page.keyboard.press('Space')
    await until('it plays', async () => page.evaluate(() => !document.querySelector('audio').paused))
    await page.keyboard.press('Space')
    await until('it is still', async () => page.evaluate(() => document.querySelector('audio').paused))
    await page.evaluate(() => (document.querySelector('audio').currentTime = 0))
    await page.keyboard.press('ArrowRight')
    await until('it is 5 s on, or at the end', async () => page.evaluate(() => document.querySelector('audio').currentTime > 2))
    await page.keyboard.press('?')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  },

  async 'what fails in a dialog is said in it; a selection that ends beside it does not close it; no key of a menu is one of the page'() {
    await page.locator('.media-actions').getByRole('button', { name: 'Export' }).focus()
    await page.keyboard.press('ArrowDown')
    await page.getByRole('menu').waitFor()
    await page.keyboard.press('q')
    assert.match(page.url(), /#\/media\//)
    await page.keyboard.press('Escape')
    await page.locator('.media-actions').getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    const dialog = page.getByRole('dialog')
    const field = await dialog.getByRole('textbox').boundingBox()
    await page.mouse.move(field.x + 30, field.y + 10)
    await page.mouse.down()
    await page.mouse.move(5, field.y + 10)
    await page.mouse.up()
    await dialog.getByRole('textbox').fill('another name')
    await page.route('**/api/v1/media/*', (route) => (route.request().method() === 'PATCH' ? route.abort() : route.continue()))
    await dialog.getByRole('button', { name: 'Rename' }).and(page.locator(':enabled')).waitFor() // once the name that there is has come
    await page.keyboard.press('Enter')
    await dialog.getByText('The server cannot be reached.', { exact: true }).waitFor()
    await page.unroute('**/api/v1/media/*')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  },

  async 'cancel asks, says that it is stopping, then cancelled; in both windows'() {
    // Long enough to be cancelled on any machine.
    const long = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-stream_loop', '9', '-i', `${samples}/talk.ogg`, '-c', 'copy', '-f', 'ogg', '-'], { maxBuffer: 64 << 20 })
    const { id } = await server.upload('long.ogg', long)
    await page.goto(`${server.url}/#/media/${id}`)
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await page.locator('[data-step=extract][data-status=completed]').waitFor()
    await until('the strip tells of its parts', async () => /of \d+ parts? done/.test((await page.locator('[data-testid=strip]').textContent()) ?? ''))
    await expectAccessible(page, 'running')
    await page.getByTestId('cancel').click()
    await expectAccessible(page, 'a question')
    await page.getByRole('dialog').getByRole('button', { name: 'Go on' }).click()
    await until('the focus is where it was', async () => (await focused(page)) === 'cancel')
    assert.notEqual(await state(other, 'long'), 'cancelled')
    const seen = [sawBefore(page, 'Stopping…', '[data-testid=outcome][data-status=cancelled]'), sawBefore(other, 'Stopping…', `[data-media="${id}"][data-status=cancelled]`)]
    // By the keyboard: the dialog begins at its answer.
    await page.getByTestId('cancel').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Stop it')
    await page.keyboard.press('Enter')
    await page.locator('[data-testid=outcome][data-status=cancelled]').waitFor()
    assert.equal((await server.status(id)).status, 'cancelled')
    await until('the other window says cancelled', async () => (await state(other, 'long')) === 'cancelled', 20_000)
    // The other is told of both at once where it is busy just then.
    const [here, elsewhere] = await Promise.all(seen)
    assert(here, 'the window that asked said that it is stopping')
    console.log(`that it is stopping was ${elsewhere ? '' : 'not '}seen in the other window`)
  },

  async 'retry changes the state at once, in every window'() {
    const id = page.url().split('/media/')[1]
    const asked = page.evaluate(() => new Promise((done) => addEventListener('click', () => done(Date.now()), { capture: true, once: true })))
    const here = thereAt(page, '[data-testid=progress]')
    const elsewhere = thereAt(other, `[data-media="${id}"]:not([data-status=cancelled])`)
    const slowest = await pace(page) // how long anything takes on this machine meanwhile
    await page.getByTestId('retry').click()
    const begun = await asked
    const took = (await Promise.all([here, elsewhere])).map((at) => at - begun)
    const plain = await slowest()
    console.log(`retry: seen after ${took.join(' and ')} ms; a request and a frame take ${Math.round(plain)} ms`)
    assert(Math.max(...took) <= 500 + 10 * plain, `${took} ms`)
    assert.equal(await page.locator('[data-testid=outcome]').count(), 0)
    await focusOf(page)
    await page.locator('[data-testid=progress][data-status=processing]').waitFor()
    await fetch(`${server.url}/api/v1/tasks/${(await server.status(id)).task_id}/cancel`, { method: 'POST' })
    await page.locator('[data-testid=outcome][data-status=cancelled]').waitFor()
  },

  async 'a failure says what happened and what to do, with its attempts'() {
    writeFileSync(`${work}/notes.mp3`, 'this is no recording at all')
    await page.goto(`${server.url}/#/`)
    await page.setInputFiles('[data-testid=files]', `${work}/notes.mp3`)
    await until('it failed', async () => (await state(page, 'notes')) === 'failed')
    await row(page, 'notes').getByRole('link').click()
    const outcome = page.getByTestId('outcome')
    await outcome.waitFor()
    assert.match(await outcome.innerText(), /Try another file/)
    await page.getByTestId('attempts').locator('summary').click()
    await page.locator('[data-testid=attempts] li[data-outcome=failed]').first().waitFor()
    await page.getByRole('list', { name: 'Log' }).getByText('task.created').waitFor()
    await page.getByRole('list', { name: 'Log' }).getByText(/task\.state.*failed/).first().waitFor()
    await expectAccessible(page, 'failed')
  },

  async 'the queue is paused, reordered and resumed, in both windows'() {
    await page.goto(`${server.url}/#/queue`)
    await page.getByTestId('pause-queue').click()
    await page.getByRole('button', { name: 'Resume the queue' }).waitFor()
    await other.goto(`${server.url}/#/queue`)
    for (const name of ['one', 'two', 'three']) await server.upload(`${name}.wav`, tone(1, name.length * 31))
    await page.locator('.entries li').nth(2).waitFor()
    await other.locator('.entries li').nth(2).waitFor()
    await expectAccessible(page, 'queue')
    const order = async (...titles) => {
      for (const where of [page, other]) await until(`the order is ${titles}`, async () => (await where.locator('.entries a').allInnerTexts()).join() === titles.join())
    }
    await order('one', 'two', 'three')
    // Faster than an answer comes; the focus goes with the row.
    const sooner = page.getByRole('button', { name: 'Serve sooner: three' })
    await sooner.focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await order('three', 'one', 'two')
    for (const where of [page, other]) await where.locator('.entries li', { hasText: 'three' }).getByText('+2').waitFor()
    await until('it has the focus', () => sooner.evaluate((e) => document.activeElement === e))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await order('one', 'two', 'three')
    const { waiting } = await server.api('/api/v1/queue')
    assert.deepEqual(waiting.map((e) => e.priority), [0, 0, -1])
    await server.api(`/api/v1/tasks/${waiting[1].task_id}`, { method: 'PATCH', json: { priority: 100 } })
    await order('two', 'one', 'three')
    assert(await page.getByRole('button', { name: 'Serve sooner: two' }).isDisabled())
    // What is asked stays asked, whatever becomes of the row.
    await other.getByRole('button', { name: 'Cancel: one' }).click()
    await page.getByTestId('pause-queue').click()
    await page.getByText('Nothing is waiting').waitFor()
    await other.getByText('Nothing is waiting').waitFor()
    await other.getByRole('dialog').getByRole('button', { name: 'Go on' }).click()
  },

  async 'bulk: select, delete; the other window follows'() {
    await page.goto(`${server.url}/#/`)
    await other.goto(`${server.url}/#/`)
    for (const name of ['one', 'two', 'three']) {
      await until(`${name} has ended`, async () => ['completed', 'failed'].includes(await state(page, name)))
      await row(page, name).getByRole('checkbox').check()
    }
    await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click()
    let goOn = () => {}
    const held = new Promise((done) => (goOn = done))
    await page.route('**/api/v1/media/*', async (route) => {
      if (route.request().method() === 'DELETE') await held
      await route.continue()
    })
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('toolbar').getByText('0 of 3').waitFor()
    assert(await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).isDisabled(), 'one thing at a time')
    goOn()
    for (const where of [page, other]) {
      for (const name of ['one', 'two', 'three']) await row(where, name).waitFor({ state: 'detached' })
    }
    await page.unroute('**/api/v1/media/*')
    assert.equal((await server.api('/api/v1/media')).items.length, 3)
  },

  async 'the system page tells how the server is'() {
    await page.goto(`${server.url}/#/system`)
    await page.getByTestId('health').getByText('Ready').waitFor()
    await page.getByText('× real time').first().waitFor()
    const fact = (name) => page.locator('dl > div', { has: page.getByText(name, { exact: true }) }).locator('dd').innerText()
    const there = await server.api('/api/v1/system')
    assert.equal(await fact('Version'), there.version)
    assert.equal(await fact('Sandbox of the workers'), there.sandbox)
    assert.match(await fact('Free disk'), /^[\d.,]+ [MGT]B$/)
    await until('the workers’ memory is told', async () => /^[\d.,]+ MB$/.test(await fact('Memory')))
    await expectAccessible(page, 'system')
  },

  async 'what a view cannot show leaves the rest of the page as it is'() {
    const hurt = await openContext(server)
    const view = await openPage(hurt, server, '#/queue')
    // As the server answers one whose session has just ended.
    await view.route('**/health/ready', (route) => route.fulfill({ json: { status: 'ready' } }))
    await view.goto(`${server.url}/#/system`)
    await view.getByTestId('health').getByText('Ready').waitFor()
    assert.equal(await view.getByTestId('broken').count(), 0)
    await view.goto(`${server.url}/#/queue`)
    await view.unroute('**/health/ready')
    await view.route('**/health/ready', (route) => route.fulfill({ json: { status: 'ready', housekeeping: null } }))
    await view.goto(`${server.url}/#/system`)
    await view.getByTestId('broken').waitFor()
    await expectAccessible(view, 'an error of a view')
    await view.getByRole('link', { name: 'Queue' }).click()
    await view.getByText('Nothing is running').waitFor()
    await hurt.close()
  },

  async 'menus and dialogs are accessible, dark, too'() {
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    await page.goto(`${server.url}/#/media/${media}`)
    await page.locator('.segment').first().waitFor()
    await expectAccessible(page, 'media, dark')
    for (const [button, item] of [['More', 'Rename'], ['More', 'Transcribe again'], ['More', 'Delete']]) {
      const opener = page.locator('.media-actions').getByRole('button', { name: button, exact: true })
      await opener.click()
      await expectAccessible(page, 'a menu')
      await page.getByRole('menuitem', { name: item }).click()
      await page.getByRole('dialog').waitFor()
      await expectAccessible(page, item)
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await until('the focus is where it was', () => opener.evaluate((e) => e === document.activeElement))
    }
    for (const view of ['', 'queue', 'system']) {
      await page.goto(`${server.url}/#/${view}`)
      await page.locator('h1').first().waitFor({ state: 'attached' })
      await expectAccessible(page, `${view}, dark`)
    }
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await expectAccessible(page, 'shortcuts')
    await page.keyboard.press('Escape')
    await page.emulateMedia({ colorScheme: null, reducedMotion: null })
  },

  async 'everything is there in Chinese, dark, and at phone width'() {
    // Of the page alone: names are in Chinese, too.
    const titles = {}
    for (const m of (await server.api('/api/v1/media')).items) {
      titles[m.id] = m.title
      await server.api(`/api/v1/media/${m.id}`, { method: 'PATCH', json: { title: `录音 ${Object.keys(titles).length}` } })
    }
    const ended = async (...states) => (await server.api('/api/v1/media')).items.find((m) => states.includes(m.status)).id
    const phone = await openContext(server, { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 390, height: 800 } })
    const small = await openPage(phone, server)
    await small.getByRole('link', { name: '队列' }).waitFor()
    assert.equal(await small.evaluate(() => document.documentElement.lang), 'zh-Hans')
    for (const [view, ready] of [
      ['', '.row >> nth=2'],
      ['?status=retrying', '.empty'],
      [`media/${media}`, '.segment >> nth=0'],
      [`media/${await ended('failed')}`, '[data-testid=outcome]'],
      [`media/${await ended('cancelled')}`, '[data-testid=outcome]'],
      ['media/00000000-0000-0000-0000-000000000000', '.empty'],
      ['queue', '.worker >> nth=0'],
      ['system', '.speeds dd >> nth=0'],
    ]) {
      await small.goto(`${server.url}/#/${view}`)
      await small.locator(ready).waitFor()
      await expectAccessible(small, `phone ${view}`)
      await expectFits(small, view)
      await expectChinese(small, view)
      const more = small.getByRole('button', { name: '更多', exact: true })
      for (let i = 0; i < (await more.count()); ++i) {
        await more.nth(i).click()
        await small.getByRole('menu').waitFor()
        await expectChinese(small, `menu of ${view}`)
        await expectFits(small, `menu of ${view}`)
        await small.keyboard.press('Escape')
      }
    }
    await small.locator('main').focus()
    await small.keyboard.press('?')
    await small.getByRole('dialog').waitFor()
    await expectChinese(small, 'shortcuts')
    await expectFits(small, 'shortcuts')
    await server.stop()
    await small.getByTestId('lost').waitFor()
    await expectChinese(small, 'no server')
    await server.start()
    await small.getByTestId('lost').waitFor({ state: 'detached' })
    expectNoFaults(phone)
    await phone.close()
    for (const [id, title] of Object.entries(titles)) await server.api(`/api/v1/media/${id}`, { method: 'PATCH', json: { title } })
  },

  async 'the keyboard does it alone'() {
    await page.goto(`${server.url}/#/`)
    await row(page, 'short').waitFor()
    await page.locator('main').focus()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('/')
    await page.keyboard.type('short')
    await until('the list is filtered', async () => (await page.locator('.row').count()) === 1)
    await page.keyboard.press('Escape')
    await until('the filter is gone', async () => (await page.locator('.row').count()) > 1)
    await page.keyboard.press('j')
    await until('a row has the focus', () => page.evaluate(() => document.activeElement.className === 'row-title'))
    await page.keyboard.press('x')
    await page.getByRole('toolbar').waitFor()
    await page.keyboard.press('b')
    assert(await page.getByRole('toolbar').evaluate((e) => e.contains(document.activeElement)))
    await page.keyboard.press('Escape')
    await page.getByRole('toolbar').waitFor({ state: 'detached' })
    assert.equal(await focusOf(page), 'Select all shown')
    await page.keyboard.press('j')
    await until('a row has the focus', () => page.evaluate(() => document.activeElement.className === 'row-title'))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1 }).waitFor()
  },

  async 'letters are no shortcuts where that is turned off, in every window, until it is turned on'() {
    const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    const letters = list.getByRole('switch')
    await page.goto(`${server.url}/#/`)
    await other.goto(`${server.url}/#/`)
    await page.locator('main').focus()
    await page.keyboard.press('?')
    await letters.uncheck()
    await expectAccessible(page, 'shortcuts without letters')
    await page.keyboard.press('Escape')
    await page.locator('.search kbd').waitFor({ state: 'detached' })
    await other.locator('.search kbd').waitFor({ state: 'detached' })
    await page.reload()
    await row(page, 'short').waitFor()
    for (const where of [page, other]) {
      await where.locator('main').focus()
      for (const key of ['q', 's', '/', 'j', 'a', '?', 'Shift+Q']) await where.keyboard.press(key)
      assert.equal(await where.evaluate(() => document.activeElement.id), 'main')
      assert.match(where.url(), /#\/$/)
      assert.equal(await where.getByRole('dialog').count(), 0)
      await where.keyboard.press('ArrowDown')
      await until('what is no letter works', () => where.evaluate(() => document.activeElement.className === 'row-title'))
    }
    await page.getByRole('banner').getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).click()
    await letters.check()
    await page.keyboard.press('Escape')
    await list.waitFor({ state: 'detached' })
    await other.locator('.search kbd').waitFor()
    await page.keyboard.press('q')
    await page.getByTestId('pause-queue').waitFor()
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
await server.stop()
