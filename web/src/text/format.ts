// Numbers and times as people read them. Pure; times are in the reader's zone.

/** 0:07, 12:34, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const h = Math.floor(whole / 3600)
  const m = Math.floor((whole % 3600) / 60)
  const s = String(whole % 60).padStart(2, '0')
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`
}

/** The inverse of clock(), for addresses that carry a time; null: not one. */
export function parseSeconds(text: string | null): number | null {
  if (text === null || !/^\d+(\.\d+)?$/.test(text)) return null
  return Number(text)
}

export function bytes(n: number, tag: string): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = n
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 0 : 1
  return `${value.toLocaleString(tag, { maximumFractionDigits: digits })} ${units[unit]}`
}

/** "14:05" today, "Mon 14:05" of the last days, "3 Nov" this year, else with the year. */
export function when(iso: string, tag: string, now: Date = new Date()): string {
  const at = new Date(iso)
  const days = (now.getTime() - at.getTime()) / 86_400_000
  if (at.toDateString() === now.toDateString()) return at.toLocaleTimeString(tag, { hour: '2-digit', minute: '2-digit' })
  if (days >= 0 && days < 6) return at.toLocaleString(tag, { weekday: 'short', hour: '2-digit', minute: '2-digit' })
  if (at.getFullYear() === now.getFullYear()) return at.toLocaleDateString(tag, { day: 'numeric', month: 'short' })
  return at.toLocaleDateString(tag, { day: 'numeric', month: 'short', year: 'numeric' })
}

export const fullTime = (iso: string, tag: string): string => new Date(iso).toLocaleString(tag, { dateStyle: 'full', timeStyle: 'medium' })

/** A length of time as it is told: whole minutes, and hours from 60 of them on; seconds in fives below that. */
export function coarse(seconds: number): { hours: number; minutes: number; seconds: number } {
  const fives = Math.ceil(seconds / 5) * 5
  if (fives < 60) return { hours: 0, minutes: 0, seconds: fives }
  const minutes = Math.max(1, Math.round(seconds / 60))
  return { hours: Math.floor(minutes / 60), minutes: minutes % 60, seconds: 0 }
}

/** What is left now of an estimate made at `at` (ms); never below 0. */
export const leftOf = (seconds: number, at: number, now: number): number => Math.max(0, seconds - (now - at) / 1000)
