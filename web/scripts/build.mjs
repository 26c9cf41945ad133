// build.mjs <folder> <output.cpp>: builds the page into the folder and writes its files, compressed, as C++.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { install } from './install.mjs'

const [folder, output] = process.argv.slice(2)
if (!folder || !output) {
  console.error('usage: build.mjs <folder> <output.cpp>')
  process.exit(2)
}
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
install()
const { build } = await import('vite')
await build({ logLevel: 'warn', build: { outDir: folder, emptyOutDir: true } })

const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
}

// Octal escapes of three digits never run into what follows.
function literal(bytes) {
  let text = ''
  for (const byte of bytes) {
    const plain = byte >= 32 && byte < 127 && byte !== 34 && byte !== 92 && byte !== 63
    text += plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
  }
  const lines = []
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + 4000, text.length)
    const escape = text.lastIndexOf('\\', end - 1)
    if (end < text.length && escape >= 0 && end - escape < 4) end = escape
    lines.push(`"${text.slice(at, end)}"`)
    at = end
  }
  return `std::string_view{${lines.join('\n') || '""'}, ${bytes.length}}`
}

const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.slice(folder.length + 1))
  .sort()
const rows = names.map((name) => {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
  if (!type || (name !== 'index.html' && !/^assets\/[^/]+$/.test(name))) throw new Error(`The build made ${name}, which the server does not serve.`)
  const bytes = readFileSync(`${folder}/${name}`)
  const gzip = gzipSync(bytes, { level: 9 })
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })
  const none = Buffer.alloc(0)
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const bodies = [bytes, gzip.length < bytes.length ? gzip : none, brotli.length < bytes.length ? brotli : none]
  return `    {"${name === 'index.html' ? '/' : `/${name}`}", "${type}", "${hash}",\n${bodies.map(literal).join(',\n')}},`
})
writeFileSync(
  output,
  `// Made by web/scripts/build.mjs.
#include "durascribe/api/page.h"

namespace durascribe::api {
namespace {

constexpr PageFile kFiles[] = {
${rows.join('\n')}
};

}  // namespace

std::span<const PageFile> page_files() {
    return kFiles;
}

}  // namespace durascribe::api
`,
)
