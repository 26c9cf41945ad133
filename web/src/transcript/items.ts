// What stands in the list of a transcript: its segments, and the gaps between them. Pure.
import type { Gap, Segment, Segments, Unit } from '../api/types'
import type { Text } from '../text/en'

export type Item = { kind: 'segment'; segment: Segment; index: number } | { kind: 'gap'; gap: Gap }

export function itemsOf(data: Segments): Item[] {
  const items: Item[] = data.segments.map((segment, index) => ({ kind: 'segment', segment, index }))
  for (const gap of data.gaps) items.push({ kind: 'gap', gap })
  const start = (i: Item) => (i.kind === 'segment' ? i.segment.start : i.gap.start)
  return items.sort((a, b) => start(a) - start(b))
}

/** The indexes of what is in the document, and one more, in order; -1: none more. */
export const withItem = (indexes: number[], item: number): number[] => (item < 0 || indexes.includes(item) ? indexes : [...indexes, item].sort((a, b) => a - b))

/** Why a part is missing: as its error is told; before that has come, as one that is not known. */
export function gapReason(gap: Gap, chunks: readonly Unit[], text: Text): string {
  const error = chunks.find((c) => c.error && c.status === 'failed' && c.start <= gap.start && gap.start < c.end)?.error
  return text.errorText(error ?? { class: '', code: '', message: gap.reason })
}
