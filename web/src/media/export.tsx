import { mediaPath } from '../api/client'
import type { TaskState } from '../api/types'
import type { Text } from '../text/en'
import { ExportIcon } from '../ui/icons'
import type { MenuItem } from '../ui/parts'

const FORMATS = [
  ['srt', 'SubRip (.srt)'],
  ['vtt', 'WebVTT (.vtt)'],
  ['txt', 'Text (.txt)'],
  ['json', 'JSON (.json)'],
] as const

/** Downloads of the transcript; none where nothing was ever transcribed. */
export function exportItems(media: string, text: Text, state: TaskState): MenuItem[] {
  if (state === 'failed') return []
  return FORMATS.map(([format, name]) => ({
    label: `${text.exportAs}: ${name}`,
    icon: <ExportIcon />,
    href: `${mediaPath(media)}/transcript.${format}`,
    download: true,
  }))
}
