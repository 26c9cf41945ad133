// Corrections: in place, saved by themselves, undone; split, joined, speakers, replaced; found again;
// in two windows; and what was corrected is what is exported.
import { readFileSync } from 'node:fs'
import { hostile } from './hostile.mjs'
import { assert, endAll, expectAccessible, expectNoFaults, focusOf, openContext, openPage, samples, Server, steps, until } from './stage.mjs'

const server = await new Server().start()
const made = await server.upload('clip.mp3', readFileSync(`${samples}/clip.mp3`))
await server.until(made.id, 'completed')
const context = await openContext(server, { permissions: ['clipboard-read', 'clipboard-write'] })
const page = await openPage(context, server, `#/media/${made.id}`)
const other = await openPage(context, server, `#/media/${made.id}`)
const there = async () => (await server.api(`/api/v1/media/${made.id}/segments`)).segments
const texts = (where) => where.locator('p.segment-text').allInnerTexts()
const first = (where) => where.locator('[data-segment="0"]')
const saved = () => page.locator('[data-testid=saving][data-state=saved]').waitFor()
await page.locator('.segment').first().waitFor()
const begun = await texts(page)

await steps({
  async 'a text is corrected in place, saved by itself, and shown in the other window'() {
    await first(page).locator('p.segment-text').dblclick()
    const field = first(page).getByRole('textbox')
    await field.fill('What was really said, by <b>me</b>.')
    await until('it is saved without being told to', async () => (await there())[0].text === 'What was really said, by <b>me</b>.')
    await until('the other window has it', async () => (await texts(other))[0] === 'What was really said, by <b>me</b>.')
    await expectAccessible(page, 'editing')
    await page.keyboard.press('Enter')
    await field.waitFor({ state: 'detached' })
    await saved()
  },

  async 'it is what is exported'() {
    const text = await (await fetch(`${server.url}/api/v1/media/${made.id}/transcript.txt`)).text()
    assert(text.replace(/\s+/g, ' ').includes('What was really said, by <b>me</b>.'), text)
  },

  async 'undo and redo, by the keyboard'() {
    await page.keyboard.press('Control+z')
    await until('it is as it was', async () => (await there())[0].text === begun[0])
    await until('it is shown', async () => JSON.stringify(await texts(page)) === JSON.stringify(begun))
    await page.keyboard.press('Control+y')
    await until('it is done again', async () => (await there())[0].text.startsWith('What was really said'))
    await page.keyboard.press('Control+z')
    await until('it is as it was', async () => (await there())[0].text === begun[0])
  },

  async 'Escape leaves what was there'() {
    await page.locator('[data-segment="0"]').hover()
    await first(page).getByRole('button', { name: /Edit text/ }).click()
    await first(page).getByRole('textbox').press('End')
    await page.keyboard.type(' x')
    await page.keyboard.press('Escape')
    await until('it is as it was', async () => (await texts(page))[0] === begun[0])
    assert.equal(await page.evaluate(() => document.activeElement.className), 'segment-time', 'the row has the focus')
  },

  async 'a paragraph that is emptied is not left without a word'() {
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('textbox').fill('')
    await page.keyboard.press('Enter')
    await first(page).getByRole('alert').getByText(/cannot be empty/).waitFor()
    await expectAccessible(page, 'an empty paragraph')
    await page.keyboard.press('Escape')
    await first(page).getByRole('textbox').waitFor({ state: 'detached' })
    assert.equal((await texts(page))[0], begun[0])
  },

  async 'Escape takes back what had saved itself, too'() {
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('textbox').fill('saved by itself')
    await until('it is saved', async () => (await there())[0].text === 'saved by itself')
    await page.keyboard.press('Escape')
    await until('it is as it was when the field was opened', async () => (await there())[0].text === begun[0])
    await until('it is shown', async () => (await texts(page))[0] === begun[0])
  },

  async 'a server that is killed takes no correction with it'() {
    await first(page).locator('p.segment-text').dblclick()
    const field = first(page).getByRole('textbox')
    await field.fill('typed while it died')
    await server.stop('SIGKILL')
    await page.keyboard.press('Enter')
    await first(page).locator('[data-trouble=away]').waitFor()
    assert.equal(await field.inputValue(), 'typed while it died')
    await server.start()
    await until('it is saved without being told to', async () => (await there())[0].text === 'typed while it died')
    await page.keyboard.press('Enter')
    await field.waitFor({ state: 'detached' })
  },

  async 'nor does one that is left, whatever was edited next'() {
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('textbox').fill('left while it was away')
    await server.stop('SIGKILL')
    await page.keyboard.press('ArrowDown')
    await first(page).locator('[data-trouble=away]').waitFor()
    await page.locator('[data-segment="1"]').hover()
    await page.locator('[data-segment="1"]').getByRole('button', { name: /Edit text/ }).click()
    await page.getByTestId('unsaved').getByText('left while it was away').waitFor()
    await expectAccessible(page, 'a correction that is not saved')
    await server.start()
    await until('it is saved', async () => (await there())[0].text === 'left while it was away')
    await page.getByTestId('unsaved').waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    const [segment] = await there()
    await server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text: begun[0] } })
    await until('it is shown', async () => (await texts(page))[0] === begun[0])
  },

  async 'a split leaves nothing to be saved of what stood there, however slowly it is drawn'() {
    const slow = await openContext(server)
    // What React puts off until later comes after every timer that is due.
    await slow.addInitScript(() => {
      const post = MessagePort.prototype.postMessage
      MessagePort.prototype.postMessage = function (...what) {
        setTimeout(() => post.apply(this, what), 60)
      }
    })
    const window = await openPage(slow, server, `#/media/${made.id}`)
    await first(window).locator('p.segment-text').dblclick()
    const field = first(window).getByRole('textbox')
    await field.waitFor()
    const before = await field.inputValue()
    const patched = []
    window.on('request', (request) => request.method() === 'PATCH' && patched.push(request.postData()))
    const place = before.indexOf(' ') + 1
    await field.evaluate((e, at) => e.setSelectionRange(at, at), place)
    await window.keyboard.press('Control+Enter')
    await window.locator('[data-segment="1"]').getByRole('textbox').waitFor()
    await window.evaluate(() => fetch('/health/live'))
    assert.deepEqual(patched, [])
    const [one] = await there()
    assert.equal(one.text, before.slice(0, place - 1))
    await slow.close()
    await server.api(`/api/v1/media/${made.id}/segments/${one.id}/merge`, { method: 'POST' })
    await until('it is shown', async () => (await texts(page))[0] === before)
  },

  async 'a paragraph is split at the cursor, and joined again'() {
    const count = (await there()).length
    await first(page).locator('p.segment-text').dblclick()
    const field = first(page).getByRole('textbox')
    const place = begun[0].indexOf(' ') + 1
    await field.evaluate((e, at) => e.setSelectionRange(at, at), place)
    await page.keyboard.press('Control+Enter')
    await until('there is one more', async () => (await there()).length === count + 1)
    assert.equal((await there())[0].text, begun[0].slice(0, place - 1))
    await page.locator('[data-segment="1"]').getByRole('textbox').waitFor()
    await page.locator('[data-segment="1"] textarea').evaluate((e) => e.setSelectionRange(0, 0))
    await page.keyboard.press('Backspace')
    await until('they are one again', async () => (await there())[0].text === begun[0])
    await first(page).getByRole('textbox').waitFor()
    await page.keyboard.press('Escape')
    await first(page).getByRole('textbox').waitFor({ state: 'detached' })
    await until('the other window has it', async () => JSON.stringify(await texts(other)) === JSON.stringify(begun))
  },

  async 'the same with the hand: split, joined with the next, saved'() {
    const count = (await there()).length
    await first(page).locator('p.segment-text').dblclick()
    const place = begun[0].indexOf(' ') + 1
    await first(page)
      .getByRole('textbox')
      .evaluate((e, at) => e.setSelectionRange(at, at), place)
    await first(page).getByRole('button', { name: 'Split here' }).click()
    await until('there is one more', async () => (await there()).length === count + 1)
    await page.locator('[data-segment="1"]').getByRole('textbox').waitFor()
    await page.locator('[data-segment="1"]').getByRole('button', { name: 'Save' }).click()
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('button', { name: 'Join with the next' }).click()
    await until('they are one again', async () => (await there())[0].text === begun[0])
    await first(page).getByRole('button', { name: 'Save' }).click()
    await first(page).getByRole('textbox').waitFor({ state: 'detached' })
  },

  async 'a speaker is named, here and everywhere'() {
    const name = async (index, value, where) => {
      await page.locator(`[data-segment="${index}"]`).hover()
      await page.locator(`[data-segment="${index}"]`).getByRole('button', { name: where ? value.was : 'Speaker' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByRole('combobox').fill(value.name)
      await dialog.getByRole('button', { name: 'Save' }).click()
      await dialog.waitFor({ state: 'detached' })
    }
    await name(0, { name: 'Ann' }, false)
    await until('it is on the server', async () => (await there())[0].speaker === 'Ann')
    await name(0, { was: 'Ann', name: 'مريم' }, true)
    await until('renamed', async () => (await there())[0].speaker === 'مريم')
    await other.getByText('مريم').waitFor()
  },

  async 'find and replace everywhere is one step to undo'() {
    const word = begun.join(' ').split(' ').find((w) => w.length > 2)
    const count = (text) => text.toLowerCase().split(word.toLowerCase()).length - 1
    const before = (await there()).map((s) => s.text).join('\n')
    await page.keyboard.press('Control+f')
    await page.getByRole('textbox', { name: 'Find' }).fill(word)
    await expectAccessible(page, 'find and replace')
    await until('they are counted', async () => (await page.getByTestId('find-count').innerText()) === `1 of ${count(before)}`)
    await page.getByRole('textbox', { name: 'Replace with' }).fill('REPLACED')
    await page.getByRole('button', { name: 'Replace all' }).click()
    await until('all are replaced', async () => {
      const now = (await there()).map((s) => s.text).join('\n')
      return count(now) === 0 && now.split('REPLACED').length - 1 === count(before)
    })
    await page.getByRole('textbox', { name: 'Replace with' }).press('Control+f')
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Find', 'asked for again, it is gone to')
    await page.getByRole('textbox', { name: 'Find', exact: true }).press('Escape')
    await page.locator('main').focus()
    await page.keyboard.press('Control+z')
    await until('as before', async () => (await there()).map((s) => s.text).join('\n') === before)
  },

  async 'find gives the focus back, or to what was found'() {
    const opener = page.getByRole('button', { name: 'Find, Replace' })
    const field = page.getByRole('textbox', { name: 'Find', exact: true })
    await opener.focus()
    for (const leave of [() => page.keyboard.press('Escape'), () => page.locator('.find').getByRole('button', { name: 'Close' }).press('Enter')]) {
      await page.keyboard.press('Enter')
      await field.waitFor()
      await leave()
      await field.waitFor({ state: 'detached' })
      assert.equal(await focusOf(page), 'Find, Replace')
    }
    await page.evaluate(() => document.activeElement.blur())
    await page.keyboard.press('Control+f')
    await page.keyboard.press('Escape')
    await field.waitFor({ state: 'detached' })
    assert.equal(await focusOf(page), 'Find, Replace', 'asked for by whom nothing has the focus')
    await page.keyboard.press('Control+f')
    const word = begun[0].split(' ')[0]
    await page.keyboard.type(word)
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    await field.waitFor({ state: 'detached' })
    assert(await page.evaluate(() => document.activeElement.matches('.segment-time')), await focusOf(page))
  },

  async 'a button that has nothing more to do keeps the focus'() {
    const all = async () => JSON.stringify((await there()).map((s) => [s.text, s.speaker]))
    const before = await all()
    for (const name of ['Undo', 'Redo']) {
      const button = page.getByRole('button', { name })
      if (name === 'Undo') await button.focus()
      else await page.keyboard.press('Tab')
      await until(`nothing is left to ${name}`, async () => (await button.isDisabled()) || void (await page.keyboard.press('Enter')))
      assert.equal(await focusOf(page), name)
      if (name === 'Undo') assert.notEqual(await all(), before)
    }
    // What was undone before is done again, too.
    await page.keyboard.press('Control+z')
    await until('it is as it was', async () => (await all()) === before)
  },

  async 'whole words alone are found and replaced where that is wanted'() {
    const [one, two] = await there()
    const change = (segment, text) => server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text } })
    await change(one, 'The theatre, the other: the café and the caf.')
    await change(two, '今天天气很好，天气预报。')
    await until('it is shown', async () => (await texts(page)).join().includes('天气预报'))
    await page.keyboard.press('Control+f')
    const count = (words) => page.getByTestId('find-count').getByText(words, { exact: true }).waitFor()
    const field = page.getByRole('textbox', { name: 'Find', exact: true })
    const marked = () => page.evaluate(() => CSS.highlights.get('found').size + CSS.highlights.get('found-now').size)
    const whole = page.getByRole('checkbox', { name: 'Whole words' })
    for (const [query, parts, words] of [['the', '1 of 6', '1 of 4'], ['caf', '1 of 2', '1 of 1'], ['天天', '1 of 1', 'Not found'], ['天气', '1 of 2', '1 of 2']]) {
      await field.fill(query)
      await count(parts)
      await whole.check()
      await count(words)
      if (query === 'the') await until('those are marked', async () => (await marked()) === 4)
      if (query !== '天气') await whole.uncheck()
    }
    await field.fill('THE')
    await page.getByRole('textbox', { name: 'Replace with' }).fill('a')
    await page.getByRole('button', { name: 'Replace', exact: true }).click()
    await until('one is replaced', async () => (await there())[0].text === 'a theatre, the other: the café and the caf.')
    await page.getByRole('button', { name: 'Replace all' }).click()
    await until('the others are', async () => (await there())[0].text === 'a theatre, a other: a café and a caf.')
    await expectAccessible(page, 'whole words')
    await field.press('Escape')
    for (const [segment, text] of [[one, begun[0]], [two, begun[1]]]) await change(segment, text)
    await until('it is as it was', async () => JSON.stringify(await texts(page)) === JSON.stringify(begun))
  },

  async 'two windows: what the other changed is not overwritten unseen'() {
    // Whatever is sent meanwhile comes after theirs.
    let goOn = () => {}
    const held = new Promise((done) => (goOn = done))
    await page.route('**/segments/*', async (route) => {
      if (route.request().method() === 'PATCH') await held
      await route.continue()
    })
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('textbox').fill('mine')
    const [segment] = await there()
    await server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text: 'theirs' } })
    goOn()
    await page.getByRole('alert').getByText(/Somebody else/).waitFor()
    await first(page).getByText('theirs', { exact: true }).waitFor()
    assert.equal((await there())[0].text, 'theirs')
    assert.equal(await first(page).getByRole('textbox').inputValue(), 'mine')
    await page.keyboard.press('End')
    await page.keyboard.type('!')
    await until('mine is saved once it was seen', async () => (await there())[0].text === 'mine!')
    await page.unroute('**/segments/*')
    await page.keyboard.press('Enter')
  },

  async 'it is copied with its times'() {
    await page.getByRole('button', { name: 'Copy text' }).click()
    await page.getByRole('menuitem', { name: 'Copy with times' }).click()
    const copied = await until('something was copied', () => page.evaluate(() => navigator.clipboard.readText()))
    assert.match(copied, /^\[0:0\d\] مريم: mine!/)
  },

  async 'what was written is found, and opens at its second'() {
    await page.goto(`${server.url}/#/?q=${encodeURIComponent('mine')}`)
    const hit = page.locator('.hits a').first()
    await hit.waitFor()
    assert.equal(await hit.locator('mark').innerText(), 'mine')
    await hit.click()
    await page.locator('.segment.now').getByText('mine!').waitFor()
  },

  async 'an address with a second is gone to once, whatever is asked for anew'() {
    const time = () => page.evaluate(() => document.querySelector('audio').currentTime)
    const [segment, next] = await there()
    const change = (text) => server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text } })
    await page.goto(`${server.url}/#/media/${made.id}?t=1.5`)
    await until('it is there', async () => Math.abs((await time()) - 1.5) < 0.1)
    await page.locator('[data-segment="1"] .segment-time').click()
    await until('it is elsewhere', async () => Math.abs((await time()) - next.start) < 0.1)
    await page.route('**/segments', (route) => route.fulfill({ status: 500, body: '{}' }))
    await Promise.all([page.waitForResponse((r) => r.url().endsWith('/segments') && r.status() === 500), change('not seen')])
    await page.unroute('**/segments')
    await change('seen')
    await first(page).getByText('seen', { exact: true }).waitFor()
    assert(Math.abs((await time()) - next.start) < 0.1, `${await time()}`)
  },

  async 'a Chinese paragraph is split where the cursor is'() {
    const [segment] = await there()
    await server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text: '今天天气很好，我们出去走走。' } })
    await first(page).getByText('今天天气很好').waitFor()
    await first(page).locator('p.segment-text').dblclick()
    await first(page)
      .getByRole('textbox')
      .evaluate((e) => e.setSelectionRange(7, 7))
    await page.keyboard.press('Control+Enter')
    await until('it is split', async () => (await there())[1].text === '我们出去走走。')
    assert.equal((await there())[0].text, '今天天气很好，')
    await page.locator('[data-segment="1"]').getByRole('textbox').press('Escape')
  },

  async 'texts that try to run are saved, shown and found as text'() {
    const [segment] = await there()
    for (const text of hostile.slice(0, 20)) {
      await server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text } })
      await until('it is shown', async () => (await first(page).locator('p.segment-text').innerText()).replace(/\s+/g, ' ').trim() === (await there())[0].text.replace(/\s+/g, ' ').trim())
    }
    await page.goto(`${server.url}/#/?q=alert`)
    await page.locator('[data-testid=count]').waitFor()
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
  },
})
await endAll()
await server.stop()
