// Pictures of each main view, by `screenshots`; not a test, but run like one.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { assert, endAll, openContext, openPage, samples, Server, tone, until } from './stage.mjs'

const pictures = process.env.PICTURES
assert(pictures, 'run by tests/web/screenshots')
mkdirSync(pictures, { recursive: true })
const server = await new Server().start()
const read = (name) => readFileSync(`${samples}/${name}`)

const ids = {}
for (const [name, title] of [
  ['lecture.m4a', 'Lecture 7: rivers and their floods'],
  ['meeting.mkv', 'Monday meeting'],
  ['clip.mp3', 'Voice note'],
]) {
  ids[title] = (await server.upload(name, read(name), `&title=${encodeURIComponent(title)}`)).id
}
await server.until(ids['Monday meeting'], 'completed')
ids.bad = (await server.upload('minutes.pdf', Buffer.from('%PDF-1.7 not a recording'), '&title=Minutes.pdf')).id
await server.until(ids.bad, 'failed')
await server.until(ids['Lecture 7: rivers and their floods'], 'completed')
const talk = ids['Lecture 7: rivers and their floods']
// What runs and waits while the pictures are made.
const long = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-stream_loop', '9', '-i', `${samples}/talk.ogg`, '-c', 'copy', '-f', 'ogg', '-'], { maxBuffer: 64 << 20 })
const { id: running, task_id: task } = await server.upload('town-hall.ogg', long, `&title=${encodeURIComponent('Town hall, November')}`)
await until('words of it are there', async () => (await server.api(`/api/v1/tasks/${task}`)).items.completed >= 4, 600_000)
await server.upload('interview.flac', read('interview.flac'), `&title=${encodeURIComponent('Interview with the harbour master')}`)
await server.upload('note.wav', tone(60, 9), `&title=${encodeURIComponent('مقابلة مع الصيادين')}&priority=-5`)
for (const [i, title] of ['Podcast 112', 'Réunion du projet', 'Field notes'].entries()) await server.upload(`w${i}.wav`, tone(60, i + 1), `&title=${encodeURIComponent(title)}&priority=${i === 0 ? 5 : 0}`)

const kinds = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  chinese: { locale: 'zh-CN' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
}
for (const [kind, options] of Object.entries(kinds)) {
  const context = await openContext(server, { viewport: { width: 1200, height: 800 }, reducedMotion: 'reduce', ...options })
  const page = await openPage(context, server)
  const picture = async (name, hash, ready) => {
    await page.goto(`${server.url}/${hash}`)
    await ready()
    await page.waitForTimeout(900)
    await page.screenshot({ path: `${pictures}/${name}-${kind}.png` })
  }
  await picture('library', '#/', () => page.locator('.row').nth(5).waitFor())
  await picture('running', `#/media/${running}`, () => page.locator('[data-testid=progress]').waitFor())
  await picture('queue', '#/queue', () => page.locator('.entries li').first().waitFor())
  await picture('transcript', `#/media/${talk}?t=6.2`, () => page.locator('.segment.now').waitFor())
  await picture('failed', `#/media/${ids.bad}`, () => page.getByTestId('outcome').waitFor())
  await picture('system', '#/system', () => page.getByTestId('health').waitFor())
  await context.close()
}
await endAll()
await server.stop('SIGKILL')
