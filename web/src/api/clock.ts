// The server's clock, as the Date of its answers tells it: a reader's own may be wrong by hours.

/** By how much the server is ahead of this machine, ms. */
let ahead = 0

/** What the Date of an answer says, at `now` here; null: nothing. It counts whole seconds, cut off. */
export function aheadOf(date: string | null, now: number): number | null {
  const at = Date.parse(date ?? '')
  if (Number.isNaN(at)) return null
  const off = at + 500 - now
  // No clock is kept better than that answer tells it.
  return Math.abs(off) < 2000 ? 0 : off
}

export function learnClock(response: Response): void {
  ahead = aheadOf(response.headers.get('Date'), Date.now()) ?? ahead
}

export const serverAhead = (): number => ahead
