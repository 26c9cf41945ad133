import { describe, expect, it } from 'vitest'
import { readFileSync, readdirSync } from 'node:fs'
import { zh } from './zh'
import { errorInChinese, problemInChinese, sandboxInChinese, sentenceInChinese } from './zh-errors'

const root = new URL('../../../', import.meta.url)
const latin = /[A-Za-z]{2,}/

describe('what the server says, in Chinese', () => {
  it('is the cause by its code, else by its class', () => {
    expect(errorInChinese({ class: 'crash', code: 'worker_died', message: 'x' })).toBe('识别进程崩溃了。')
    expect(errorInChinese({ class: 'stall', code: 'of_tomorrow', message: 'x' })).toBe('识别器没有进展，已被终止。')
    expect(errorInChinese({ class: 'new', code: 'new', message: 'English' })).not.toMatch(latin)
    expect(errorInChinese({ class: 'input', code: 'download_refused', message: 'example.org answered 404. There is nothing.' })).toBe('对方服务器拒绝了请求（404）。')
  })
  it('has words for every class of errors and every refusal of the API', () => {
    for (const cls of ['input', 'network', 'memory', 'model', 'crash', 'stall', 'timeout', 'storage', 'lost', 'request', 'internal']) {
      expect(errorInChinese({ class: cls, code: 'unknown', message: 'English' })).not.toMatch(latin)
    }
    const codes = [...readFileSync(new URL('src/api/openapi.json', root), 'utf8').matchAll(/"code": "([a-z_]+)"/g)].map((m) => m[1] ?? '')
    expect(codes.length).toBeGreaterThan(20)
    for (const code of codes) expect(problemInChinese(400, code, 'English'), code).not.toMatch(/[a-z]{2,}/)
    expect(problemInChinese(418, 'unheard_of', 'English')).not.toMatch(latin)
  })
  it('has a name for every stage that the server tells', () => {
    const told = readFileSync(new URL('src/domain/pipeline.cpp', root), 'utf8') + readFileSync(new URL('src/engine/view_builder.cpp', root), 'utf8')
    const stages = [...told.matchAll(/return (?:chunks_total == 0 \? )?"([A-Z][^"]*)"(?: : "([A-Z][^"]*)")?/g)].flatMap((m) => [m[1], m[2]]).filter((s) => s !== undefined)
    expect(stages).toContain('Waiting for the next attempt')
    for (const stage of stages) expect(zh.stage('extract', 0, 0, stage), stage).toMatch(/^[^A-Za-z]+$/)
    expect(zh.stage('transcribe', 0, 0, 'Transcribing 3 of 8')).toBe('转写第 3/8 段')
  })
  it('tells what bounds the workers', () => {
    expect(sandboxInChinese('memory: control group v1 + watchdog; CPU: number of threads; media worker: no Landlock + no seccomp')).toBe('内存：控制组 v1 + 看门狗；CPU：线程数；媒体进程：无 Landlock + 无 seccomp')
  })
  it('says why a model was chosen, and leaves what it does not know', () => {
    expect(sentenceInChinese('en-us is the only model installed for it.')).toBe('只安装了 en-us。')
    expect(sentenceInChinese('base is the most accurate of 4 that fits the memory and takes about 12 s for this recording (21 dB above its noise).')).toContain('base 最准确，约需 12 秒')
    expect(sentenceInChinese('3 damaged parts of the audio could not be decoded and were skipped.')).toBe('有 3 处音频损坏，已跳过。')
    expect(sentenceInChinese('192.168.1.5 leads to a private address, to which durascribe does not connect.')).toBe('192.168.1.5 指向内部网络，服务器不会连接。')
    expect(sentenceInChinese('example.org could not be connected to.')).toBe('无法连接 example.org。')
    expect(sentenceInChinese('Something new.')).toBe('Something new.')
  })
})

// Whatever is written in quotes in the views and is more than a name would not be translated.
describe('the views', () => {
  it('say nothing that is not in text/', () => {
    const found: string[] = []
    const folder = new URL('..', import.meta.url)
    for (const file of readdirSync(folder, { recursive: true }) as string[]) {
      if (!/\.tsx?$/.test(file) || /^text\/|\.test\.|icons/.test(file)) continue
      const code = readFileSync(new URL(file, folder), 'utf8').replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$|new Error\(.*$/gm, '')
      for (const m of code.matchAll(/'([A-Z][a-z]+(?: [a-z]+)+[^']*)'|["}\n]>\s*([A-Z][a-z]+(?: [a-z]+)*)\s*</g)) found.push(`${file}: ${m[1] ?? m[2]}`)
    }
    expect(found).toEqual([])
  })
})
