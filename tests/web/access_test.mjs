// Where the server asks who one is: signing in, what a session may do, tokens and webhooks made and
// ended on the page. On an address of the network where this machine has one, as a phone would come.
import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import { assert, endAll, expectAccessible, expectNoFaults, focusOf, openContext, openPage, samples, Server, steps, until } from './stage.mjs'

const host = Object.values(networkInterfaces()).flat().find((a) => a?.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1'
const server = new Server({ host, env: { AUTH_ON_LOOPBACK: 'true', ALLOW_PRIVATE_ADDRESSES: '127.0.0.1' } })
const admin = server.token('the-page', '--scope', 'read,write,admin')
await server.start()
const context = await openContext(server)
const guest = await openContext(server)
let page = null
let other = null
let readOnly = ''
const row = (where, title) => where.locator('.row', { has: where.getByRole('link', { name: title, exact: true }) })

async function signIn(context, token) {
  const page = await context.newPage()
  await page.goto(`${server.url}/`)
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  return page
}

// A receiver of webhooks that answers as it is told to.
let answer = 200
const received = []
const receiver = createServer((request, response) => {
  let body = ''
  request.on('data', (bytes) => (body += bytes))
  request.on('end', () => {
    received.push({ id: request.headers['webhook-id'], signed: request.headers['webhook-signature'], event: JSON.parse(body) })
    response.writeHead(answer).end(answer === 200 ? 'taken' : 'not <b>now</b>')
  })
})
await new Promise((done) => receiver.listen(0, '127.0.0.1', done))

await steps({
  async 'nothing is shown without a token, and a wrong one is refused'() {
    page = await signIn(context, 'ds_wrong')
    await page.getByRole('alert').waitFor()
    await expectAccessible(page, 'signing in')
    assert.equal((await fetch(`${server.url}/api/v1/media`)).status, 401)
  },

  async 'with a token everything works, uploads in pieces, too'() {
    await page.getByLabel('Access token').fill(admin)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Nothing here yet' }).waitFor()
    await page.locator('[data-testid=connection][data-state=live]').waitFor()
    await page.setInputFiles('[data-testid=files]', `${samples}/short.wav`)
    await until('it is done', async () => (await row(page, 'short').getAttribute('data-status')) === 'completed')
    await row(page, 'short').hover()
    await row(page, 'short').getByRole('button', { name: 'More: short' }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByRole('dialog').getByRole('textbox').fill('Renamed')
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).and(page.locator(':enabled')).waitFor()
    await page.keyboard.press('Enter')
    await row(page, 'Renamed').waitFor()
  },

  async 'it is the word against forged requests that lets changes through'() {
    const forged = await page.evaluate(async () => {
      const response = await fetch('/api/v1/queue/pause', { method: 'POST' })
      return [response.status, (await response.json()).code]
    })
    assert.deepEqual(forged, [403, 'bad_csrf_token'])
  },

  async 'a text is copied, also where a page may not use the clipboard'() {
    await row(page, 'Renamed').getByRole('link').click()
    await page.locator('.segment').first().waitFor()
    await page.getByRole('button', { name: 'Copy text' }).click()
    await page.getByRole('menuitem', { name: 'Copy with times' }).click()
    await page.getByText('Copied').waitFor()
  },

  async 'a token is made, shown once'() {
    await page.goto(`${server.url}/#/system`)
    const card = page.getByRole('region', { name: 'Access tokens' })
    await card.getByLabel('Name').fill('a<i>reader</i>')
    await card.getByRole('combobox').first().selectOption('read')
    await card.getByRole('combobox').last().selectOption('30d')
    await card.getByRole('button', { name: 'Create' }).click()
    readOnly = await card.getByTestId('secret').innerText()
    assert.match(readOnly, /^ds_/)
    await page.getByRole('dialog', { name: 'Secret of a<i>reader</i>' }).waitFor()
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await expectAccessible(page, 'a secret')
    // It is not lost by a key or a click beside it, and the keyboard begins at what is to be done with it.
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Copy/)
    await page.keyboard.press('Escape')
    await page.mouse.click(3, 300)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('Copied').last().waitFor()
    assert.equal(await page.evaluate(() => document.querySelectorAll('textarea').length), 0)
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Copy/)
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal(await card.getByTestId('secret').count(), 0)
    await card.getByText('a<i>reader</i>', { exact: true }).waitFor()
    const end = new Date(Date.now() + 30 * 86_400_000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
    assert((await card.getByRole('listitem').allInnerTexts()).some((line) => line.includes(`until ${end}`)), 'its end is a day of the calendar')
    await expectAccessible(page, 'tokens')
  },

  async 'who may only read is offered nothing else'() {
    other = await signIn(guest, readOnly)
    await row(other, 'Renamed').waitFor()
    for (const name of ['Add recordings', 'Fetch']) assert.equal(await other.getByRole('button', { name }).count(), 0, name)
    await row(other, 'Renamed').hover()
    await row(other, 'Renamed').getByRole('button', { name: 'More: Renamed' }).click()
    assert.deepEqual(
      (await other.getByRole('menuitem').allInnerTexts()).filter((t) => !t.startsWith('Export')),
      [],
    )
    await other.keyboard.press('Escape')
    await other.goto(`${server.url}/#/queue`)
    await other.getByText('Nothing is running').waitFor()
    assert.equal(await other.getByTestId('pause-queue').count(), 0)
    await other.goto(`${server.url}/#/system`)
    await other.getByTestId('health').getByText('Ready').waitFor()
    assert.equal(await other.getByRole('heading', { name: 'Access tokens' }).count(), 0)
  },

  async 'a token that is revoked shows its windows the door'() {
    await page.getByRole('button', { name: 'Revoke: a<i>reader</i>' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('a<i>reader</i>', { exact: true }).waitFor({ state: 'detached' })
    assert.equal(await focusOf(page), 'Revoke: the-page', 'the next one has the focus')
    await other.getByRole('button', { name: 'Sign in' }).waitFor()
  },

  async 'a webhook is added and tried'() {
    const card = page.getByRole('region', { name: 'Webhooks' })
    await card.getByLabel('Address that is told').fill(`http://127.0.0.1:${receiver.address().port}/hook`)
    await card.getByRole('button', { name: 'Add' }).click()
    assert.match(await card.getByTestId('secret').innerText(), /^whsec_/)
    await page.getByRole('dialog').locator('.dialog-buttons').getByRole('button', { name: 'Close' }).click()
    await card.getByRole('button', { name: /^More: http/ }).click()
    await page.getByRole('menuitem', { name: 'Send a test' }).click()
    await until('it came', () => received.length === 1)
    assert.equal(received[0].event.type, 'webhook.ping')
    assert(received[0].signed.startsWith('v1,'))
    await card.getByRole('button', { name: 'What was sent' }).click()
    await card.locator('[data-testid=deliveries] li[data-status=delivered]').waitFor()
  },

  async 'what could not be delivered says why, and is sent again'() {
    answer = 500
    const card = page.getByRole('region', { name: 'Webhooks' })
    await card.getByRole('button', { name: /^More: http/ }).click()
    await page.getByRole('menuitem', { name: 'Send a test' }).click()
    const failed = card.locator('[data-testid=deliveries] li[data-status=failed], [data-testid=deliveries] li[data-status=waiting]').first()
    await failed.locator('summary').click()
    await failed.getByText('500', { exact: true }).waitFor()
    await failed.getByText('not <b>now</b>').waitFor()
    await expectAccessible(page, 'deliveries')
    answer = 200
    const before = received.length
    await failed.getByRole('button', { name: 'Send again' }).click()
    await until('it came', () => received.length > before)
    assert.equal(received.at(-1).id, received[1].id)
    await until('both are delivered', async () => (await card.locator('[data-testid=deliveries] li[data-status=delivered]').count()) === 2)
  },

  async 'a webhook is paused, resumed and removed'() {
    const card = page.getByRole('region', { name: 'Webhooks' })
    const pick = async (name) => {
      await card.getByRole('button', { name: /^More: http/ }).click()
      await page.getByRole('menuitem', { name }).click()
    }
    await pick('Pause')
    await card.locator('li[data-status=paused]').first().waitFor()
    await pick('Resume')
    await card.locator('li[data-status=active]').first().waitFor()
    await pick('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await card.getByText('No webhooks yet').waitFor()
  },

  async 'signing out ends it'() {
    await page.getByRole('banner').getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.locator('.sign-in').waitFor()
    assert.equal(await page.evaluate(() => fetch('/api/v1/media').then((r) => r.status)), 401)
  },

  async 'nothing went wrong on the way'() {
    expectNoFaults(context)
    expectNoFaults(guest)
  },
})
await endAll()
receiver.close()
await server.stop()
