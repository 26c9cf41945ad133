// What this server can do, as its own OpenAPI document says: what it lacks is not shown.
import { useQuery } from '@tanstack/react-query'
import { api } from './client'

interface Document {
  paths: Record<string, Record<string, unknown>>
}

export interface Features {
  uploads: boolean
  import: boolean
  search: boolean
  edit: boolean
  split: boolean
  merge: boolean
  speakers: boolean
  units: boolean
  log: boolean
  priority: boolean
  speeds: boolean
  webhooks: boolean
  tokens: boolean
  session: boolean
  batches: boolean
  poster: boolean
}

export const NO_FEATURES: Features = {
  uploads: false,
  import: false,
  search: false,
  edit: false,
  split: false,
  merge: false,
  speakers: false,
  units: false,
  log: false,
  priority: false,
  speeds: false,
  webhooks: false,
  tokens: false,
  session: false,
  batches: false,
  poster: false,
}

export function featuresOf(document: Document): Features {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path.replace(/\{[^}]*\}/g, '{}')}`),
  )
  const has = (method: string, path: string) => operations.includes(`${method} ${path}`)
  return {
    uploads: has('post', '/api/v1/uploads'),
    import: has('post', '/api/v1/imports') || JSON.stringify(document.paths['/api/v1/media']?.post ?? '').includes('"url"'),
    search: has('get', '/api/v1/search'),
    edit: has('patch', '/api/v1/media/{}/segments/{}'),
    split: has('post', '/api/v1/media/{}/segments/{}/split'),
    merge: has('post', '/api/v1/media/{}/segments/{}/merge') || has('post', '/api/v1/media/{}/segments/merge'),
    speakers: has('patch', '/api/v1/media/{}/speakers/{}') || has('get', '/api/v1/media/{}/speakers'),
    units: has('get', '/api/v1/tasks/{}/units'),
    log: has('get', '/api/v1/tasks/{}/log'),
    priority: has('patch', '/api/v1/tasks/{}'),
    speeds: has('get', '/api/v1/system'),
    webhooks: has('get', '/api/v1/webhooks'),
    tokens: has('get', '/api/v1/tokens'),
    session: has('post', '/api/v1/session'),
    batches: has('get', '/api/v1/batches'),
    poster: has('get', '/api/v1/media/{}/poster'),
  }
}

export function useFeatures(): Features {
  const document = useQuery({
    queryKey: ['features'],
    queryFn: async ({ signal }) => featuresOf(await api<Document>('/api/openapi.json', { signal })),
    staleTime: Infinity,
    gcTime: Infinity,
  })
  return document.data ?? NO_FEATURES
}
