// A real server and a real browser for the tests of the page, and what every test watches for: no
// dialog, no request elsewhere, nothing that the policy refused, no error of a script.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const { DURASCRIBE_BIN: bin, SAMPLES: samples, WORK: work, BROWSER: browserPath } = process.env
assert(bin && samples && work && browserPath, 'run by web_test.sh')
export { assert, samples, work }

const children = new Set()
const kill = () => {
  for (const child of children) child.kill('SIGKILL')
}
process.on('exit', kill)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Waits for what `ask` gives to be true; polls, with a deadline. */
export async function until(what, ask, ms = 90_000) {
  const end = Date.now() + ms
  for (let last; ; ) {
    try {
      last = await ask()
      if (last) return last
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what} (last: ${last?.message ?? JSON.stringify(last)})`)
    await new Promise((done) => setTimeout(done, 40))
  }
}

export class Server {
  data = mkdtempSync(`${work}/data-`)
  log = ''
  port = 0
  child = null

  /** `env`: settings of this server; `host`: where it listens. */
  constructor({ env = {}, host = '127.0.0.1' } = {}) {
    this.env = env
    this.host = host
  }

  environment() {
    const around = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DURASCRIBE_')))
    // In place of the models that are installed (tests/support/make_small_model).
    const models = around.TEST_MODELS ? { DURASCRIBE_MODELS: around.TEST_MODELS } : {}
    return { ...around, ...models, ...this.env }
  }

  /** A token, made by the program on the data directory. */
  token(...options) {
    const ran = spawnSync(`${bin}/durascribe`, ['token', 'create', ...options, '--data', this.data], { env: this.environment(), encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    return ran.stdout.trim()
  }

  async start() {
    const child = spawn(`${bin}/durascribe`, ['serve', '--listen', `${this.host}:${this.port}`, '--data', this.data], { env: this.environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    children.add(child)
    let out = ''
    child.stdout.on('data', (bytes) => (out += bytes))
    child.stderr.on('data', (bytes) => (this.log += bytes))
    child.on('exit', () => children.delete(child))
    const found = await until('the server is ready', () => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${this.log.slice(-2000)}`)
      return /is ready on (http:\S+)/.exec(out)
    })
    this.url = found[1]
    this.port = Number(new URL(this.url).port) // the same after a restart
    return this
  }

  async stop(signal = 'SIGTERM') {
    const child = this.child
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await ended
  }

  /** Its workers of a role, as they are just now. */
  workers(role) {
    const tasks = `/proc/${this.child.pid}/task`
    const pids = readdirSync(tasks).flatMap((thread) => readFileSync(`${tasks}/${thread}/children`, 'utf8').split(' ').filter(Boolean))
    return pids.filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] === role
      } catch {
        return false // it has just ended
      }
    })
  }

  /** SIGSTOP to those who recognise, so that none of them comes to an end meanwhile; SIGCONT. */
  hold(signal = 'SIGSTOP') {
    for (const pid of this.workers('speech')) {
      try {
        process.kill(Number(pid), signal)
      } catch {
        // it has just ended
      }
    }
  }

  /** Holds them, and gives one that has a unit: a file of the data directory is open in it. */
  holdOneAtWork() {
    return until('a worker is at work', () => {
      this.hold()
      const found = this.workers('speech').find((pid) => {
        try {
          return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${this.data}/blobs/`))
        } catch {
          return false // it has just ended
        }
      })
      if (!found) this.hold('SIGCONT')
      return found
    })
  }

  async api(path, options = {}) {
    const body = options.json === undefined ? options.body : JSON.stringify(options.json)
    const headers = { ...(options.json === undefined ? {} : { 'Content-Type': 'application/json' }), ...options.headers }
    const response = await fetch(this.url + path, { method: options.method ?? 'GET', headers, body, duplex: 'half' })
    const text = await response.text()
    assert(response.ok, `${options.method ?? 'GET'} ${path}: ${response.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }

  upload(name, bytes, query = '') {
    return this.api(`/api/v1/media?filename=${encodeURIComponent(name)}${query}`, { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body: bytes })
  }

  status(media) {
    return this.api(`/api/v1/media/${media}/status`)
  }

  until(media, ...states) {
    return until(`${media} is ${states}`, async () => states.includes((await this.status(media)).status), 280_000)
  }

  sql(statement) {
    const ran = spawnSync('sqlite3', [`${this.data}/durascribe.db`], { input: statement, encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    return ran.stdout.trim()
  }
}

/** How long a request and a frame take in the page, again and again; what is given tells the longest until then. */
export async function pace(page) {
  await page.evaluate(() => {
    const pace = (window.pace = { longest: 0, at: performance.now(), ends: false })
    const next = async () => {
      while (!pace.ends) {
        pace.at = performance.now()
        await fetch('/health/live')
        await new Promise(requestAnimationFrame)
        pace.longest = Math.max(pace.longest, performance.now() - pace.at)
      }
    }
    void next()
  })
  return () =>
    page.evaluate(() => {
      window.pace.ends = true
      return Math.max(window.pace.longest, performance.now() - window.pace.at)
    })
}

let browser = null
export async function openBrowser() {
  browser ??= await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
    ],
  })
  return browser
}

/** A browser profile of its own; all pages of it are watched. */
export async function openContext(server, options = {}) {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1200, height: 860 }, locale: 'en-GB', ...options })
  context.setDefaultTimeout(60_000)
  context.faults = []
  context.askedToStay = 0
  const allowed = new URL(server.url).origin
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
  })
  context.on('page', (page) => {
    page.on('dialog', (dialog) => {
      if (dialog.type() === 'beforeunload') {
        context.askedToStay += 1
        return void dialog.accept()
      }
      context.faults.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(allowed) && !url.startsWith('blob:') && !url.startsWith('data:')) context.faults.push(`request: ${url}`)
    })
    page.on('pageerror', (error) => context.faults.push(`error: ${error.stack ?? error}`))
    page.on('console', (message) => {
      // Answers of 4xx and a server that is away are said by the browser itself, and what plain HTTP lacks.
      if (message.type() === 'error' && !/Failed to load resource|ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_NETWORK|Cross-Origin-Opener-Policy header has been ignored/.test(message.text())) context.faults.push(`console: ${message.text()}`)
    })
  })
  return context
}

/** Each in a window of its own: a tab behind another one is drawn once a second. */
export async function openPage(context, server, hash = '#/') {
  const [beside] = context.pages()
  const opens = () => void open('about:blank', '_blank', 'popup,noopener')
  const page = beside ? (await Promise.all([context.waitForEvent('page'), beside.evaluate(opens)]))[0] : await context.newPage()
  await page.goto(`${server.url}/${hash}`)
  await page.locator('[data-testid=connection][data-state=live]').waitFor()
  return page
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** What axe finds that is serious or critical. */
export async function expectAccessible(page, where) {
  // What is still being faded in has less contrast than it will have.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().filter((one) => one.effect?.getComputedTiming().endTime !== Infinity).map((one) => one.finished)))
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource)
  const found = await page.evaluate(() => window.axe.run(document, { preload: false, resultTypes: ['violations'] }))
  const bad = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
  assert.deepEqual(
    bad.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} (${n.any.map((a) => a.message).join('; ')})`).slice(0, 5).join(' | ')}`),
    [],
    where,
  )
}

/** What has the focus, by what it is called; not the document, to which it falls where nobody keeps it. */
export async function focusOf(page) {
  const [tag, name] = await page.evaluate(() => [document.activeElement.tagName, document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent])
  assert.notEqual(tag, 'BODY', 'the focus is nowhere')
  return name
}

/** Nothing is wider than the window, no form or head than what it is in. */
export async function expectFits(page, where) {
  const over = await page.evaluate(() => {
    const wide = document.documentElement.scrollWidth - innerWidth
    const right = (element) => element.getBoundingClientRect().right
    const within = (element) => right(element) - parseFloat(getComputedStyle(element).paddingRight) - parseFloat(getComputedStyle(element).borderRightWidth)
    const out = [...document.querySelectorAll('form, form > *, .find-line > *, .page-head > *, dd')].find((e) => e.checkVisibility() && right(e) > within(e.parentElement) + 1)
    if (wide <= 0) return out ? `${right(out) - within(out.parentElement)} px: ${out.outerHTML.slice(0, 200)}` : ''
    const worst = [...document.querySelectorAll('body *')].sort((a, b) => right(b) - right(a))[0]
    return `${wide} px: ${worst.outerHTML.slice(0, 200)}`
  })
  assert.equal(over, '', where)
}

// Names, formats, units and keys, which are the same in every language.
const SAME =
  /durascribe|English|pocketsphinx|whisper|en-us|\ben\b|SQLite|SubRip|WebVTT|JSON|Webhook|WAV|MP3|MP4|OGG|MATROSKA|\.(?:srt|vtt|txt|json)|TRANSCRIPTION_TIMEOUT|ALLOW_PRIVATE_ADDRESSES|https?:\/\/\S*|\bLandlock\b|\bCPU\b|RLIMIT_DATA|seccomp|\b(?:B|KB|MB|GB|TB|kHz|ms)\b|\b(?:Enter|Esc|Ctrl|Shift|Space|Backspace)\b|\b[A-Z]\b/gi
/** What a Chinese reader is told is Chinese: texts, labels, titles and placeholders; not what was recognised, nor the log. */
export async function expectChinese(page, where) {
  const said = await page.evaluate(() => {
    const others = 'p.segment-text, .segment-body .sr-only, .log, noscript, script, style, [lang=en]'
    const found = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) if (!node.parentElement.closest(others)) found.push(node.nodeValue)
    for (const element of document.body.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder']) found.push(element.getAttribute(name) ?? '')
    }
    return found.concat(document.title)
  })
  assert.deepEqual(
    said.filter((text) => /[a-z]{2,}/i.test(text.replace(SAME, ''))),
    [],
    `${where}: not in Chinese`,
  )
}

export function expectNoFaults(context) {
  assert.deepEqual(context.faults, [], 'dialogs, foreign requests, policy reports, errors of scripts')
}

export async function endAll() {
  await browser?.close()
  kill()
}

/** Runs the steps in order, each by its name and with its time; with ONLY, those that it matches. */
export async function steps(all) {
  const begun = Date.now()
  for (const [name, run] of Object.entries(all)) {
    if (process.env.ONLY && !new RegExp(process.env.ONLY).test(name)) continue
    const at = Date.now()
    try {
      await run()
    } catch (error) {
      console.log(`FAILED: ${name}`)
      throw error
    }
    console.log(`ok ${String(Date.now() - at).padStart(6)} ms  ${name}`)
  }
  console.log(`all in ${Date.now() - begun} ms`)
}

/** 16 kHz mono PCM of `seconds`: a tone that depends on `seed`, so that no two are the same file. */
export function tone(seconds, seed = 1) {
  const samples = Math.round(seconds * 16_000)
  const wav = Buffer.alloc(44 + samples * 2)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + samples * 2, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(16_000, 24)
  wav.writeUInt32LE(32_000, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(samples * 2, 40)
  for (let i = 0; i < samples; ++i) wav.writeInt16LE(Math.round(3000 * Math.sin((i / 16_000) * (200 + (seed % 997)))), 44 + 2 * i)
  return wav
}

export const folder = (name) => {
  const path = `${work}/${name}`
  mkdirSync(path, { recursive: true })
  return path
}
