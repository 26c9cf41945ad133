// Whether single letters and signs are shortcuts: who speaks to their machine, or hits keys beside those that
// are meant, turns them off. Kept in this browser, for all of its windows.
import { useSyncExternalStore } from 'react'

const SAVED = 'durascribe.letterKeys'
const watchers = new Set<() => void>()

export const areLettersKeys = (): boolean => localStorage.getItem(SAVED) !== 'off'

export function letLettersBeKeys(on: boolean): void {
  if (on) localStorage.removeItem(SAVED)
  else localStorage.setItem(SAVED, 'off')
  for (const watcher of watchers) watcher()
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher)
  addEventListener('storage', watcher) // another window
  return () => {
    watchers.delete(watcher)
    removeEventListener('storage', watcher)
  }
}

export const useLetterKeys = (): boolean => useSyncExternalStore(watch, areLettersKeys)
