// Corrections: in place, saved by themselves, undone; split, joined, speakers, replaced; found again;
// in two windows; and what was corrected is what is exported.
import { readFileSync } from 'node:fs'
import { hostile } from './hostile.mjs'
import { assert, endAll, expectAccessible, expectNoFaults, openContext, openPage, samples, Server, steps, until } from './stage.mjs'

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
    assert.equal((await texts(page))[0], begun[0])
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
    await until('they are counted', async () => (await page.getByTestId('find-count').innerText()) === `1 of ${count(before)}`)
    await page.getByRole('textbox', { name: 'Replace with' }).fill('REPLACED')
    await page.getByRole('button', { name: 'Replace all' }).click()
    await until('all are replaced', async () => {
      const now = (await there()).map((s) => s.text).join('\n')
      return count(now) === 0 && now.split('REPLACED').length - 1 === count(before)
    })
    await page.getByRole('textbox', { name: 'Find', exact: true }).press('Escape')
    await page.locator('main').focus()
    await page.keyboard.press('Control+z')
    await until('as before', async () => (await there()).map((s) => s.text).join('\n') === before)
  },

  async 'two windows: what the other changed is not overwritten unseen'() {
    await first(page).locator('p.segment-text').dblclick()
    await first(page).getByRole('textbox').fill('mine')
    const [segment] = await there()
    await server.api(`/api/v1/media/${made.id}/segments/${segment.id}`, { method: 'PATCH', json: { text: 'theirs' } })
    await page.getByRole('alert').getByText(/Somebody else/).waitFor()
    assert.equal((await there())[0].text, 'theirs')
    await page.keyboard.press('End')
    await page.keyboard.type('!')
    await until('mine is saved once it was seen', async () => (await there())[0].text === 'mine!')
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
