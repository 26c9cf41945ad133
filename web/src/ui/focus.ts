// Who works with the keyboard stays where they are: what had the focus may go away, and the focus then
// goes to what stands next to it instead of to the document.

const TAKES_FOCUS = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]'

/** An element and all that it stands in, from the inside out. */
export function trailOf(element: Element | null): readonly Element[] {
  const trail: Element[] = []
  for (let each = element; each && each !== document.body; each = each.parentElement) trail.push(each)
  return trail
}

export const isFocusLost = (): boolean => document.activeElement === null || document.activeElement === document.body

/** To the element itself, or to what it has marked with `data-home`, or to the first that takes the focus. */
function goInto(node: Node): boolean {
  if (!(node instanceof HTMLElement)) return false
  const choices = node.matches(TAKES_FOCUS) ? [node] : [...node.querySelectorAll<HTMLElement>(`[data-home], ${TAKES_FOCUS}`)]
  const seen = choices.filter((c) => c.getClientRects().length > 0)
  const choice = seen.find((c) => c.dataset.home !== undefined) ?? seen[0]
  choice?.focus()
  return choice !== undefined && document.activeElement === choice
}

function goTo(nodes: Iterable<Node>): boolean {
  for (const node of nodes) if (goInto(node)) return true
  return false
}

function* siblings(of: Node | null, way: 'nextSibling' | 'previousSibling'): Generator<Node> {
  for (let each = of; each; each = each[way]) yield each
}

/** Where a node that was taken out of `from` stood: what came after or before it and is still there. */
function neighbour(gone: Node, way: 'nextSibling' | 'previousSibling', from: Element, changes: readonly MutationRecord[]): Node | null {
  const removal = (node: Node) => [...changes].reverse().find((change) => [...change.removedNodes].includes(node))
  let found = removal(gone)?.[way] ?? null
  for (let steps = changes.length; found && found.parentNode !== from; --steps) found = steps > 0 ? (removal(found)?.[way] ?? null) : null
  return found
}

/**
 * Gives the focus to what stands after, or before, what had it; else to what stands next to that in which it
 * stood, and in the end to the view. `trail`: of what had it; `changes`: in which it was taken out.
 */
export function focusNear(trail: readonly Element[], changes: readonly MutationRecord[] = []): void {
  const at = trail.findIndex((each) => each.isConnected)
  const around = at === 0 ? trail[0]?.parentElement : trail[at]
  const gone = trail[Math.max(0, at - 1)]
  if (around && gone) {
    const after = at === 0 ? gone.nextSibling : neighbour(gone, 'nextSibling', around, changes)
    const before = at === 0 ? gone.previousSibling : neighbour(gone, 'previousSibling', around, changes)
    if (goTo(siblings(after, 'nextSibling')) || goTo(siblings(before, 'previousSibling')) || (at > 0 && goInto(around))) return
    for (let each: Element | null = around; each && each.id !== 'main' && each.tagName !== 'DIALOG'; each = each.parentElement) {
      if (goTo(siblings(each.nextSibling, 'nextSibling')) || goTo(siblings(each.previousSibling, 'previousSibling'))) return
    }
  }
  document.getElementById('main')?.focus({ preventScroll: true })
}

/** To what had it before; where that is gone or cannot take it, next to it. */
export function giveBack(trail: readonly Element[]): void {
  const before = trail[0]
  if (!(before instanceof HTMLElement)) return
  before.focus({ preventScroll: before.id === 'main' })
  if (document.activeElement !== before) focusNear(trail)
}

/** Keeps the focus on the page for as long as what it returns is not called. */
export function keepFocus(): () => void {
  let trail: readonly Element[] = []
  const taken = (event: FocusEvent) => {
    trail = trailOf(event.target as Element)
  }
  // Who presses beside everything wants it nowhere. What is taken out is so only once that is done.
  const left = () =>
    queueMicrotask(() => {
      if (isFocusLost() && trail[0]?.isConnected) trail = []
    })
  const observer = new MutationObserver((changes) => {
    if (trail[0] && !trail[0].isConnected && isFocusLost()) focusNear(trail, changes)
  })
  observer.observe(document.body, { subtree: true, childList: true })
  document.addEventListener('focusin', taken)
  document.addEventListener('focusout', left)
  return () => {
    observer.disconnect()
    document.removeEventListener('focusin', taken)
    document.removeEventListener('focusout', left)
  }
}
