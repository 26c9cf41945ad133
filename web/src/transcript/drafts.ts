// Corrections that the server does not have yet: kept until it does, also over a reload of the page, so
// that a server that is away or somebody else's change costs nothing that was typed.

export interface Draft {
  /** Of the segment. */
  id: number
  text: string
  /** What the segment said when this was typed over it. */
  base: string
}

/** What the drafts are kept in: the browser's storage for this window, as far as there is one. */
export type Keeper = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

export class Drafts {
  private drafts: readonly Draft[]
  private readonly listeners = new Set<() => void>()

  /** `name`: of what is corrected; another transcript has other drafts. */
  constructor(
    private readonly keeper: Keeper,
    private readonly name: string,
  ) {
    this.drafts = parsed(keeper.getItem(name))
  }

  get(id: number): Draft | undefined {
    return this.drafts.find((d) => d.id === id)
  }

  set(draft: Draft): void {
    this.keep([...this.drafts.filter((d) => d.id !== draft.id), draft])
  }

  /** `text`: only where the draft still says that: what was typed since is not saved yet. */
  remove(id: number, text?: string): void {
    const left = this.drafts.filter((d) => d.id !== id || (text !== undefined && d.text !== text))
    if (left.length !== this.drafts.length) this.keep(left)
  }

  /** The same list until one changes. */
  all = (): readonly Draft[] => this.drafts

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private keep(drafts: readonly Draft[]): void {
    this.drafts = drafts
    try {
      if (drafts.length === 0) this.keeper.removeItem(this.name)
      else this.keeper.setItem(this.name, JSON.stringify(drafts))
    } catch {
      // No room, or none allowed: they are kept as long as the page is open.
    }
    for (const listener of this.listeners) listener()
  }
}

function parsed(text: string | null): Draft[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(value) ? value.filter(isDraft) : []
  } catch {
    return []
  }
}

function isDraft(value: unknown): value is Draft {
  const d = value as Draft | null
  return typeof d === 'object' && d !== null && typeof d.id === 'number' && typeof d.text === 'string' && typeof d.base === 'string'
}

/** What becomes of a draft now that the segment is as it is: undefined where it is gone. */
export function fateOf(draft: Draft, segment: { text: string } | undefined): 'save' | 'done' | 'conflict' | 'gone' {
  if (!segment) return 'gone'
  if (segment.text === draft.text) return 'done'
  return segment.text === draft.base ? 'save' : 'conflict'
}
