// How tall a row of the transcript will be, before it is in the document. Pure; the numbers are those of
// styles/transcript.css. A good guess is all that is needed: what is shown is measured.
const LINE_PX = 26.7
const PADDING_PX = 10
const SPEAKER_PX = 30
const LATIN_PX = 7.9
const WIDE_PX = 16.5
/** Of the text, whatever the window: 68ch. */
const WIDEST_PX = 624

const WIDE = /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFF01-\uFF60]/g

/** `width`: of the text's column, px. */
export function estimateHeight(text: string, named: boolean, width: number): number {
  const wide = text.match(WIDE)?.length ?? 0
  const lines = Math.max(1, Math.ceil(((text.length - wide) * LATIN_PX + wide * WIDE_PX) / Math.min(WIDEST_PX, Math.max(120, width))))
  return Math.round(PADDING_PX + lines * LINE_PX + (named ? SPEAKER_PX : 0))
}
