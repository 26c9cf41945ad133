import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const server = process.env.DURASCRIBE_URL ?? 'http://127.0.0.1:8000'

// The operations of the API that this server has, for src/api/features.ts.
interface Operation {
  requestBody?: { content?: Record<string, { schema?: { properties?: Record<string, unknown> } }> }
}
const document = JSON.parse(readFileSync(new URL('../src/api/openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).flatMap(([method, operation]) => {
    const name = `${method} ${path.replace(/\{[^}]*\}/g, '{}')}`
    return JSON.stringify(operation.requestBody ?? '').includes('"url"') ? [name, `${name} url`] : [name]
  }),
)

export default defineConfig({
  base: '/',
  plugins: [react()],
  define: { __OPERATIONS__: JSON.stringify(operations) },
  build: {
    target: 'es2022',
    assetsDir: 'assets',
    assetsInlineLimit: 0, // what is inline needs a laxer policy
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite` beside a running `./run`; another server by DURASCRIBE_URL.
  server: {
    proxy: {
      '/api': { target: server, headers: { origin: server } },
      '/health': { target: server },
    },
  },
})
