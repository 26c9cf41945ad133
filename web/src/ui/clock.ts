// One clock for all that count down, so that they do it together; it stands while nobody looks.
let now = Date.now()
let clock: ReturnType<typeof setInterval> | undefined
const watchers = new Set<() => void>()

/** Calls the watcher every second, until what it returns is called. */
export function watchClock(watcher: () => void): () => void {
  if (watchers.size === 0) {
    now = Date.now()
    clock = setInterval(() => {
      now = Date.now()
      for (const each of watchers) each()
    }, 1000)
  }
  watchers.add(watcher)
  return () => {
    watchers.delete(watcher)
    if (watchers.size === 0) clearInterval(clock)
  }
}

/** The time in ms, the same for all until the next second. */
export function readClock(): number {
  // Nobody has kept it.
  if (watchers.size === 0 && Date.now() - now >= 1000) now = Date.now()
  return now
}
