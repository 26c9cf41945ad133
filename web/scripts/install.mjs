// Brings node_modules to what package-lock.json names, once for each lock file.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const web = fileURLToPath(new URL('..', import.meta.url))
const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function install() {
  const lock = read(`${web}/package-lock.json`)
  const stamp = `${web}/node_modules/.installed`
  if (read(stamp) === lock) return
  try {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: web, stdio: 'inherit' })
  } catch {
    console.error('\nnpm could not install what the page is built with (above is why). Make that work, or build the server')
    console.error('without its page: DURASCRIBE_WEB=OFF in the environment at the first build, or cmake -DDURASCRIBE_WEB=OFF.')
    process.exit(1)
  }
  writeFileSync(stamp, lock)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) install()
