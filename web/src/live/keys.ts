// The names of what is kept of the server's state in the cache of queries.
export const keys = {
  statuses: ['status'] as const,
  status: (media: string) => ['status', media] as const,
  media: (media: string) => ['media', media] as const,
  task: (task: string) => ['task', task] as const,
  units: (task: string) => ['units', task] as const,
  attempts: (task: string) => ['attempts', task] as const,
  log: (task: string) => ['log', task] as const,
  segments: (media: string) => ['segments', media] as const,
  waveform: (media: string) => ['waveform', media] as const,
  library: ['library'] as const,
  libraryAll: ['library', 'all'] as const, // newest first, whatever its state
  librarySome: ['library', 'some'] as const, // chosen by state or words, or in another order
  search: ['search'] as const,
  queue: ['queue'] as const,
  ready: ['ready'] as const,
  counts: ['counts'] as const,
  paused: ['paused'] as const,
}
