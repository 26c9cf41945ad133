import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app'
import { Gate } from './ui/gate'
import { ApiError } from './api/client'
import { LiveProvider } from './live/provider'
import { TextProvider } from './text'
import { Boundary } from './ui/boundary'
import { applyTheme, savedTheme } from './ui/hooks'
import { NoticesProvider } from './ui/notices'
import './styles/colours.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/states.css'
import './styles/overlays.css'
import './styles/shell.css'
import './styles/library.css'
import './styles/media.css'
import './styles/player.css'
import './styles/transcript.css'
import './styles/queue.css'
import './styles/system.css'

applyTheme(savedTheme())

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The event stream says when something is old.
      staleTime: Infinity,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: 'always',
      retry: (failures, error) => error instanceof ApiError && (error.status === 0 || error.status === 503) && failures < 4,
      retryDelay: (attempt) => Math.min(400 * 2 ** attempt, 4000),
    },
    mutations: { networkMode: 'always' },
  },
})

const root = document.getElementById('root')
if (!root) throw new Error('The document has no #root.')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <TextProvider>
        <NoticesProvider>
          <Boundary>
            <LiveProvider>
              <Gate>
                <App />
              </Gate>
            </LiveProvider>
          </Boundary>
        </NoticesProvider>
      </TextProvider>
    </QueryClientProvider>
  </StrictMode>,
)
