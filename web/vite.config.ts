import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const server = 'http://127.0.0.1:8000'

export default defineConfig({
  base: '/',
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsDir: 'assets',
    assetsInlineLimit: 0, // what is inline needs a laxer policy
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite` beside a running `./run`.
  server: {
    proxy: {
      '/api': { target: server, headers: { origin: server } },
      '/health': { target: server },
    },
  },
})
