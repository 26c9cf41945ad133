import { useEffect, useRef, useSyncExternalStore } from 'react'
import { readClock, watchClock } from './clock'
import { areLettersKeys } from './letter-keys'

const watchNothing = () => () => {}
/** The time, every second while it is `on`. */
export function useNow(on: boolean): number {
  return useSyncExternalStore(on ? watchClock : watchNothing, readClock)
}

const NOT_TYPED = /^(checkbox|radio|range|button|submit|file)$/

/** Whether what has the focus takes letters: a box that is ticked or a slider does not. */
export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) || (target instanceof HTMLInputElement && !NOT_TYPED.test(target.type)))

/**
 * Keys of a view, by `event.key`, with "ctrl+" before it. What returns false was not meant. Not while
 * something is typed, or a dialog is open; letters and signs alone not where the reader has turned them off.
 */
export function useKeys(bindings: Record<string, (event: KeyboardEvent) => boolean | void>, on = true): void {
  const current = useRef(bindings)
  current.current = bindings
  useEffect(() => {
    if (!on) return
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.isComposing) return
      if (document.querySelector('dialog[open]')) return
      const ctrl = event.ctrlKey || event.metaKey
      if (isTyping(event.target) && !ctrl) return
      if (!ctrl && event.key.length === 1 && event.key !== ' ' && !areLettersKeys()) return
      const name = `${ctrl ? 'ctrl+' : ''}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`
      const run = current.current[name]
      if (run && run(event) !== false) event.preventDefault()
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [on])
}

const subscribeHash = (listener: () => void) => {
  addEventListener('hashchange', listener)
  return () => removeEventListener('hashchange', listener)
}
export const useHash = (): string => useSyncExternalStore(subscribeHash, () => location.hash)

export type Theme = 'auto' | 'light' | 'dark'
const THEME = 'durascribe.theme'

export function savedTheme(): Theme {
  const saved = localStorage.getItem(THEME)
  return saved === 'light' || saved === 'dark' ? saved : 'auto'
}

export function applyTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  localStorage.setItem(THEME, theme)
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
}
