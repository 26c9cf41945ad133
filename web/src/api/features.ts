// What the server can do, as its OpenAPI document says. The page is built into the server together
// with that document, so it is read when the page is built (vite.config.ts); what the server lacks is
// not shown.

declare const __OPERATIONS__: readonly string[]

export interface Features {
  uploads: boolean
  import: boolean
  search: boolean
  edit: boolean
  split: boolean
  merge: boolean
  speakers: boolean
  restore: boolean
  audio: boolean
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

/** `operations`: "post /api/v1/uploads", each parameter as {}, and "… url" where a URL is taken. */
export function featuresOf(operations: readonly string[]): Features {
  const has = (method: string, path: string) => operations.includes(`${method} ${path}`)
  return {
    uploads: has('post', '/api/v1/uploads'),
    import: has('post', '/api/v1/media url'),
    search: has('get', '/api/v1/search'),
    edit: has('patch', '/api/v1/media/{}/segments/{}'),
    split: has('post', '/api/v1/media/{}/segments/{}/split'),
    merge: has('post', '/api/v1/media/{}/segments/{}/merge'),
    speakers: has('patch', '/api/v1/media/{}/speakers/{}'),
    restore: has('post', '/api/v1/media/{}/revisions/{}/restore'),
    audio: has('get', '/api/v1/media/{}/audio'),
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

const features = featuresOf(typeof __OPERATIONS__ === 'undefined' ? [] : __OPERATIONS__)
export const useFeatures = (): Features => features
