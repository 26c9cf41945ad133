import { mediaPath } from '../api/client'
import type { TaskState } from '../api/types'
import type { Text } from '../text/en'
import { ExportIcon } from '../ui/icons'
import type { MenuItem } from '../ui/parts'

const FORMATS = ['srt', 'vtt', 'txt', 'json'] as const
const NAMES: Record<string, string> = { srt: 'SubRip', vtt: 'WebVTT', json: 'JSON' }

/** Downloads of the transcript; none where nothing was ever transcribed. */
export function exportItems(media: string, text: Text, state: TaskState): MenuItem[] {
  if (state === 'failed') return []
  return FORMATS.map((format) => ({
    label: `${text.exportAs}: ${NAMES[format] ?? text.plainText} (.${format})`,
    icon: <ExportIcon />,
    href: `${mediaPath(media)}/transcript.${format}`,
    download: true,
  }))
}
