// The library in use: web addresses, pictures, filters and orders, many at once, search, names of every
// direction, times of the reader's zone.
import { execFileSync } from 'node:child_process'
import { createReadStream, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { assert, endAll, expectAccessible, expectFits, expectNoFaults, focusOf, openContext, openPage, samples, Server, steps, tone, until } from './stage.mjs'

const server = await new Server({ env: { ALLOW_PRIVATE_ADDRESSES: '127.0.0.1', REQUIRE_IF_MATCH: 'true', TRANSCRIPTION_STALL_TIMEOUT: '600' } }).start()
const context = await openContext(server, { permissions: ['clipboard-read', 'clipboard-write'], timezoneId: 'Asia/Tokyo' })
const page = await openPage(context, server)
const row = (title, where = page) => where.locator('.row', { has: where.getByRole('link', { name: title, exact: true }) })
const state = (title) => row(title).getAttribute('data-status')
const titles = () => page.locator('.row-title').allInnerTexts()

const elsewhere = createServer((request, response) => {
  if (request.url !== '/talks/announcement.mp3' && request.url !== '/talks/short.wav') return response.writeHead(404).end()
  createReadStream(`${samples}/${request.url.endsWith('mp3') ? 'clip.mp3' : 'short.wav'}`).pipe(response.writeHead(200))
})
await new Promise((done) => elsewhere.listen(0, '127.0.0.1', done))
const address = (path) => `http://127.0.0.1:${elsewhere.address().port}/talks/${path}`
const paste = async (text) => {
  await page.evaluate((t) => navigator.clipboard.writeText(t), text)
  await page.keyboard.press('Control+v')
}

// What is asked of the queue, while another view is shown.
const queueAsked = []
page.on('request', (request) => {
  const url = new URL(request.url())
  if (request.method() === 'GET' && url.pathname === '/api/v1/queue' && !page.url().endsWith('#/queue')) queueAsked.push(url.search)
})

await steps({
  async 'addresses that are pasted anywhere are fetched by the server'() {
    await page.locator('main').focus()
    await paste(`${address('announcement.mp3')}\n${address('short.wav')}\n`)
    await page.getByRole('button', { name: 'Fetch 2' }).click()
    await until('both are done', async () => (await state('announcement')) === 'completed' && (await state('short')) === 'completed')
    assert.equal(await page.getByLabel('Web address of a recording').inputValue(), '')
  },

  async 'what is no address stays, and is said'() {
    const box = page.getByRole('textbox', { name: 'Web address of a recording' })
    await box.fill('example.org/b.mp3')
    await page.getByText('Not a web address: example.org/b.mp3.').waitFor()
    await box.fill('')
    await page.getByText('Not a web address').waitFor({ state: 'hidden' })
  },

  async 'one that is not there says so, and what to do'() {
    await page.getByLabel('Web address of a recording').focus()
    await paste(`${address('gone.mp3')}\n`)
    await page.getByRole('button', { name: 'Fetch', exact: true }).click()
    await until('it failed', async () => (await state('gone')) === 'failed')
    await row('gone').getByRole('link').click()
    const outcome = page.getByTestId('outcome')
    await outcome.waitFor()
    assert.match(await outcome.innerText(), /404/)
    assert.match(await outcome.innerText(), /address/i)
    assert.equal(await page.locator('audio, video').count(), 0, 'there is nothing to play')
    await expectAccessible(page, 'an import that failed')
  },

  async 'a film has its picture in its row'() {
    await page.goto(`${server.url}/#/`)
    await page.setInputFiles('[data-testid=files]', `${samples}/meeting.mkv`)
    await until('its picture is there', () =>
      row('meeting')
        .locator('.tile img')
        .evaluate((e) => e.naturalWidth > 0),
    )
    await until('it is done', async () => (await state('meeting')) === 'completed')
  },

  async 'what the browser cannot play says so; its waveform, times and words work'() {
    for (const [name, ...codec] of [['old.avi', '-c:a', 'pcm_s16le'], ['old.wma', '-f', 'asf', '-c:a', 'wmav2']]) {
      const bytes = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-i', `${samples}/short.wav`, ...codec, ...(codec.includes('-f') ? [] : ['-f', 'avi']), '-'])
      const { id } = await server.upload(name, bytes)
      await server.until(id, 'completed')
      const phone = await openContext(server, { viewport: { width: 360, height: 800 } })
      for (const where of [page, await openPage(phone, server)]) {
        await where.goto(`${server.url}/#/media/${id}`)
        await where.getByRole('status').getByText('Your browser cannot play this format. The transcript is below;').waitFor()
        assert.equal(await where.getByRole('link', { name: 'download the file to listen.' }).getAttribute('href'), `/api/v1/media/${id}/source`)
        assert.equal(await where.getByRole('button', { name: 'Play', exact: true }).count(), 0)
        await expectAccessible(where, name)
        await expectFits(where, name)
      }
      const word = page.locator('.segment .w').nth(2)
      await word.click()
      await until('the word is lit', async () => (await word.getAttribute('class')).includes('lit'))
      const at = async () => Number(await page.getByRole('slider').inputValue())
      assert((await at()) > 0)
      const { duration_seconds: seconds } = await server.api(`/api/v1/media/${id}`)
      const { width, height } = await page.getByRole('slider').boundingBox()
      await page.getByRole('slider').click({ position: { x: width / 2, y: height / 2 } })
      assert(Math.abs((await at()) - seconds / 2) < 0.2, `${await at()} of ${seconds}`)
      await page.keyboard.press('ArrowRight')
      await until('not behind its end', async () => Math.abs((await at()) - seconds) < 0.1)
      await page.locator('.player-time').getByText(/^(\d:\d\d) \/ \1$/).waitFor()
      await phone.close()
      await page.goto(`${server.url}/#/`)
      await server.api(`/api/v1/media/${id}`, { method: 'DELETE' })
      await row('old').waitFor({ state: 'detached' })
    }
  },

  async 'the server orders them, and the choice is kept over a reload'() {
    await page.getByLabel('Order').selectOption('title')
    await until('by title', async () => (await titles()).join() === 'announcement,gone,meeting,short')
    await page.getByLabel('Order').selectOption('longest')
    await until('longest first', async () => (await titles()).slice(0, 2).sort().join() === 'announcement,meeting')
    await page.reload()
    await until('longest first', async () => (await titles()).slice(0, 2).sort().join() === 'announcement,meeting')
    await page.getByLabel('Show').selectOption('failed')
    await until('those that failed', async () => (await titles()).join() === 'gone')
    await page.getByLabel('Show').selectOption('')
    await page.getByLabel('Order').selectOption('')
    await until('newest first', async () => (await titles())[0] === 'meeting')
  },

  async 'what waits says its place in words'() {
    // Long enough that the other waits for it on any machine; the next step cancels both.
    const long = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-stream_loop', '14', '-i', `${samples}/talk.ogg`, '-c', 'copy', '-f', 'ogg', '-'],
      { maxBuffer: 64 << 20 })
    await server.upload('long.ogg', long)
    const { id } = (await server.api('/api/v1/media?search=long')).items[0]
    await until('it is recognised', async () => (await server.api(`/api/v1/media/${id}/status`)).current_step === 'transcribe')
    await server.upload('second.wav', readFileSync(`${samples}/short.wav`), '&priority=-1')
    await until('a place in the line', async () => /in line/.test(await row('second').innerText()))
    await until('and when it starts', async () => /starts in/.test(await row('second').innerText()))
    await page.goto(`${server.url}/#/media/${(await server.api('/api/v1/media?search=second')).items[0].id}`)
    await page.getByTestId('detail').getByText(/in line, starts in/).waitFor()
    // All of it, also where there is little room.
    const phone = await openContext(server, { viewport: { width: 360, height: 800 } })
    const small = await openPage(phone, server, '#/queue')
    const words = small.locator('.entries li', { hasText: 'second' }).locator('.row-words .muted')
    await words.getByText(/in line, starts in/).waitFor()
    assert(await words.evaluate((e) => e.scrollWidth <= e.clientWidth), 'its place is cut off')
    await expectFits(small, 'the queue')
    await small.goto(`${server.url}/#/`)
    const { duration_seconds: seconds } = (await server.api('/api/v1/media?search=meeting')).items[0]
    await row('meeting', small).getByText(`0:${String(Math.floor(seconds)).padStart(2, '0')}`, { exact: true }).waitFor()
    await expectFits(small, 'the library')
    // A menu opens where there is room for it.
    await small.setViewportSize({ width: 360, height: 640 })
    await small.evaluate(() => scrollTo(0, document.body.scrollHeight))
    await small.locator('.row').last().getByRole('button', { name: /^More/ }).click()
    const covered = await small.getByRole('menu').evaluate((menu) =>
      [...menu.querySelectorAll('[role=menuitem]')].filter((item) => {
        const box = item.getBoundingClientRect()
        return !menu.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2))
      }).map((item) => item.textContent),
    )
    assert.deepEqual(covered, [], 'what is in a menu can be reached')
    await expectFits(small, 'a menu above its button')
    await small.keyboard.press('Escape')
    await small.goto(`${server.url}/#/system`)
    await small.locator('.manage').nth(1).waitFor()
    await small.locator('.speeds dd').nth(1).waitFor()
    for (const width of [320, 360, 800]) {
      await small.setViewportSize({ width, height: 800 })
      await expectFits(small, `the system page, ${width} px`)
    }
    await phone.close()
    await page.goto(`${server.url}/#/`)
  },

  async 'a place follows what happens to the others: it is among those that wait, what runs is not counted'() {
    const says = (title, words) => row(title).getByText(words).waitFor()
    server.hold() // a slot that came free would change the line by itself
    await says('second', /Next in line/)
    assert.equal(await row('second').getByRole('progressbar').count(), 0, 'nothing of it was recognised')
    await server.upload('third.wav', readFileSync(`${samples}/short.wav`), '&priority=-2')
    await says('third', /2nd in line/)
    const { waiting } = await server.api('/api/v1/queue')
    const [second, third] = ['second', 'third'].map((title) => waiting.find((e) => e.title === title))
    const move = (priority) => server.api(`/api/v1/tasks/${second.task_id}`, { method: 'PATCH', json: { priority } })
    await move(-5)
    await says('third', /Next in line/)
    await move(-1)
    await says('third', /2nd in line/)
    await page.getByRole('button', { name: 'More: third' }).click()
    await page.getByRole('menuitem', { name: 'Serve next' }).click()
    await says('third', /Next in line/)
    await says('second', /2nd in line/)
    await server.api(`/api/v1/tasks/${third.task_id}`, { method: 'PATCH', json: { priority: -2 } })
    await says('third', /2nd in line/)
    await server.api(`/api/v1/tasks/${second.task_id}/cancel`, { method: 'POST' })
    await says('third', /Next in line/)
    await server.api(`/api/v1/tasks/${third.task_id}/cancel`, { method: 'POST' })
    await server.api(`/api/v1/media/${third.media_id}`, { method: 'DELETE' })
    await server.api(`/api/v1/tasks/${second.task_id}/retry`, { method: 'POST' })
    await until('it waits again', async () => (await state('second')) === 'pending')
  },

  async 'several are cancelled, tried again, deleted'() {
    await server.api('/api/v1/queue/pause', { method: 'POST' })
    for (const i of [1, 2]) await server.upload(`many ${i}.wav`, tone(1, 40 + i))
    const all = ['long', 'second', 'many 1', 'many 2']
    for (const title of all) await row(title).getByRole('checkbox').check()
    const bar = page.getByRole('toolbar')
    await bar.getByText('4 selected').waitFor()
    await bar.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click()
    for (const title of all) await until(`${title} is cancelled`, async () => (await state(title)) === 'cancelled')
    server.hold('SIGCONT')
    for (const title of ['many 1', 'many 2']) await row(title).getByRole('checkbox').check()
    await bar.getByRole('button', { name: 'Retry' }).click()
    for (const title of ['many 1', 'many 2']) await until(`${title} waits`, async () => (await state(title)) === 'pending')
    await row('many 1').getByText('The queue is paused').waitFor()
    await server.api('/api/v1/queue/resume', { method: 'POST' })
    for (const title of ['many 1', 'many 2']) await until(`${title} is done`, async () => (await state(title)) === 'completed')
  },

  async 'the focus goes on to the next row when one is deleted, and stays with who has it elsewhere'() {
    for (const [title, next] of [['many 2', 'many 1'], ['many 1', 'second']]) {
      await page.getByRole('button', { name: `More: ${title}` }).press('Enter')
      await page.keyboard.press('End')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter')
      await row(title).waitFor({ state: 'detached' })
      await until('the next has it', async () => (await focusOf(page)) === next)
    }
    // What is not there any more has lost nothing that another has.
    await page.getByRole('searchbox').focus()
    await server.api('/api/v1/media', { method: 'POST', json: { url: address('not-there.mp3') } })
    await until('it failed', async () => (await state('not-there')) === 'failed')
    const [gone] = (await server.api('/api/v1/media?search=not-there')).items
    await server.api(`/api/v1/media/${gone.id}`, { method: 'DELETE' })
    await row('not-there').waitFor({ state: 'detached' })
    assert(await page.getByRole('searchbox').evaluate((e) => e === document.activeElement))
    // What is pressed beside everything stays so.
    await page.mouse.click(5, 400)
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'BODY')
  },

  async 'several are exported, each to a file of its own'() {
    const downloads = []
    page.on('download', (d) => downloads.push(d.suggestedFilename()))
    for (const title of ['announcement', 'short']) await row(title).getByRole('checkbox').check()
    await page.getByRole('toolbar').getByRole('button', { name: 'Export' }).click()
    await page.getByRole('menuitem', { name: 'VTT' }).click()
    await until('two files came', () => downloads.length === 2)
    assert.deepEqual(downloads.sort(), ['announcement.vtt', 'short.vtt'])
    await page.getByRole('button', { name: 'More: short' }).click()
    await page.getByRole('menuitem', { name: '(.srt)' }).click()
    await until('one more', () => downloads.length === 3)
    assert.equal(downloads.at(-1), 'short.srt')
  },

  async 'where nothing was said there is no file, and that is said'() {
    const { id } = await server.upload('silent.wav', tone(1, 47))
    await until('it is done', async () => (await state('silent')) === 'completed')
    const downloads = []
    page.on('download', (d) => downloads.push(d.suggestedFilename()))
    for (const format of ['srt', 'vtt', 'txt', 'json']) {
      await page.getByRole('button', { name: 'More: silent' }).click()
      await page.getByRole('menuitem', { name: `(.${format})` }).click()
      const notice = page.locator('.notice', { hasText: 'There are no words to export.' })
      await notice.getByRole('button', { name: 'Close' }).click()
      await notice.waitFor({ state: 'detached' })
    }
    for (const title of ['announcement', 'silent']) await row(title).getByRole('checkbox').check()
    await page.getByRole('toolbar').getByRole('button', { name: 'Export' }).click()
    await page.getByRole('menuitem', { name: 'JSON' }).click()
    await page.getByText('1 could not be exported: There are no words to export.').waitFor()
    await until('the other came', () => downloads.length === 1)
    assert.deepEqual(downloads, ['announcement.json'])
    await row('silent').getByRole('link').click()
    const button = page.getByRole('button', { name: 'Export' })
    await page.locator('.media-actions [aria-disabled]').waitFor()
    assert.equal(await button.getAttribute('title'), 'There are no words to export.')
    await button.press('Enter')
    await page.locator('.notice', { hasText: 'There are no words to export.' }).last().waitFor()
    assert.equal(await page.getByRole('menu').count(), 0)
    await expectAccessible(page, 'nothing to export')
    await page.goto(`${server.url}/#/`)
    await server.api(`/api/v1/media/${id}`, { method: 'DELETE' })
    await row('silent').waitFor({ state: 'detached' })
  },

  async 'search finds words, and opens where they are said'() {
    const { id } = (await server.api('/api/v1/media?search=announcement')).items[0]
    const { segments } = await server.api(`/api/v1/media/${id}/segments`)
    const last = segments.at(-1)
    const words = last.text.split(' ').slice(0, 3).join(' ')
    await page.getByRole('searchbox').fill(`"${words}"`)
    const hit = page.locator('.hits a', { hasText: 'announcement' })
    await hit.waitFor()
    assert((await hit.locator('mark').allInnerTexts()).join(' ').includes(words.split(' ')[0]))
    await page.getByTestId('count').getByText('1 recording').waitFor()
    await expectAccessible(page, 'hits')
    await hit.click()
    await page.locator('.segment.now').getByText(words.split(' ')[0]).first().waitFor()
    await until('the player is there', () => page.evaluate((s) => Math.abs(document.querySelector('audio').currentTime - s) < 0.2, last.start))
    await page.goto(`${server.url}/#/`)
    // Page after page, of one place each, of a word that is said often.
    const said = new Map()
    for (const media of (await server.api('/api/v1/media?status=completed')).items) {
      for (const s of (await server.api(`/api/v1/media/${media.id}/segments`)).segments) {
        for (const word of new Set(s.text.toLowerCase().match(/[a-z]{3,}/g))) said.set(word, (said.get(word) ?? 0) + 1)
      }
    }
    const [often, times] = [...said].sort((a, b) => b[1] - a[1])[0]
    assert(times >= 2, `${often}: ${times}`)
    await page.route('**/api/v1/search?**', (route) => route.continue({ url: route.request().url().replace('limit=50', 'limit=1') }))
    await page.getByRole('searchbox').fill(often)
    await page.getByTestId('hits').getByText('1+').waitFor()
    await page.getByRole('region', { name: 'In transcripts' }).getByRole('button', { name: 'More' }).click()
    await until('another one', async () => (await page.locator('.hits a').count()) === 2)
    await page.unroute('**/api/v1/search?**')
    await page.getByRole('searchbox').fill('')
  },

  async 'a search that finds nothing says so, and leads back; one that could not be made, too'() {
    await page.getByRole('searchbox').fill('zxqvj')
    await page.getByRole('heading', { name: 'Nothing found for “zxqvj”' }).waitFor()
    await until('it is read out', async () => (await page.getByTestId('said').innerText()) === 'Nothing found for “zxqvj”')
    assert.equal(await page.locator('.row').count(), 0)
    await expectAccessible(page, 'nothing found')
    await page.getByRole('button', { name: 'Clear the search' }).click()
    await row('announcement').waitFor()
    assert.equal(await page.getByRole('searchbox').inputValue(), '')
    assert(await page.getByRole('searchbox').evaluate((e) => e === document.activeElement))
    // Within one state alone.
    await page.getByLabel('Show').selectOption('failed')
    await page.getByRole('searchbox').fill('meeting')
    await page.getByRole('heading', { name: 'Nothing found for “meeting”' }).waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
    await row('meeting').waitFor()
    await page.route('**/api/v1/search?**', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"code": "internal", "detail": "The index is broken."}' }))
    await page.getByRole('searchbox').fill('announcement')
    await page.getByRole('alert').getByText('The index is broken.').waitFor()
    await page.unroute('**/api/v1/search?**')
    await page.getByRole('region', { name: 'In transcripts' }).getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('alert').waitFor({ state: 'detached' })
    await page.getByRole('searchbox').fill('')
    await row('meeting').waitFor()
  },

  async 'what is tried again later is found by that, and leaves the list once it is not'() {
    await page.getByLabel('Show').selectOption('retrying')
    await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
    const busy = createServer((_, response) => response.writeHead(503, { 'Retry-After': '3600' }).end())
    await new Promise((done) => busy.listen(0, '127.0.0.1', done))
    await server.api('/api/v1/media', { method: 'POST', json: { url: `http://127.0.0.1:${busy.address().port}/later.mp3` } })
    await row('later').getByText(/tries again in/).waitFor()
    assert.deepEqual(await titles(), ['later'])
    const [later] = (await server.api('/api/v1/media?status=retrying')).items
    await server.api(`/api/v1/tasks/${later.task_id}/cancel`, { method: 'POST' })
    await row('later').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Show all' }).click()
    await server.api(`/api/v1/media/${later.id}`, { method: 'DELETE' })
    await row('meeting').waitFor()
    busy.close()
  },

  async 'two windows do not rename over each other unseen'() {
    await page.getByRole('button', { name: 'More: short' }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByRole('dialog').getByRole('textbox').fill('Mine')
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).and(page.locator(':enabled')).waitFor()
    const { id } = (await server.api('/api/v1/media?search=short')).items[0]
    const tag = (await fetch(`${server.url}/api/v1/media/${id}`)).headers.get('etag')
    await server.api(`/api/v1/media/${id}`, { method: 'PATCH', json: { title: 'عنوان عربي' }, headers: { 'If-Match': tag } })
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click()
    await page.getByText(/renamed elsewhere/).waitFor()
    assert.equal((await server.api(`/api/v1/media/${id}`)).title, 'عنوان عربي')
    await page.keyboard.press('Escape')
    await row('عنوان عربي').waitFor()
  },

  async 'a title that is read from right to left stands so, in every view'() {
    const direction = (where) => where.evaluate((e) => getComputedStyle(e).direction)
    assert.equal(await direction(row('عنوان عربي').getByRole('link')), 'rtl')
    assert.equal(await direction(row('announcement').getByRole('link')), 'ltr')
    await row('عنوان عربي').getByRole('link').click()
    assert.equal(await direction(page.getByRole('heading', { level: 1 })), 'rtl')
    await page.goto(`${server.url}/#/`)
  },

  async 'times are those of the reader'() {
    const shown = row('meeting').locator('time')
    const at = new Date(await shown.getAttribute('datetime'))
    const there = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Tokyo' })
    assert((await shown.innerText()).includes(there), `${await shown.innerText()} is not ${there}`)
    assert((await shown.getAttribute('title')).includes(there))
  },

  async 'files are dropped anywhere, also in the queue'() {
    await page.goto(`${server.url}/#/queue`)
    const bytes = [...tone(1, 71)]
    const transfer = await page.evaluateHandle((b) => {
      const data = new DataTransfer()
      for (const name of ['dropped one.wav', 'dropped two.wav']) data.items.add(new File([new Uint8Array(b), name], name, { type: 'audio/wav' }))
      return data
    }, bytes)
    await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer })
    await page.getByText('Drop to transcribe').waitFor()
    await page.dispatchEvent('body', 'drop', { dataTransfer: transfer })
    for (const title of ['dropped one', 'dropped two']) await row(title).waitFor()
    await page.getByText('Drop to transcribe').waitFor({ state: 'detached' })
  },

  async 'the library has not read the queue to know whether it is paused'() {
    assert.deepEqual(queueAsked.filter((search) => search !== '?limit=1'), [])
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
elsewhere.close()
await server.stop()
