import { apiBlob, mediaPath } from '../api/client'
import type { MediaSummary } from '../api/types'
import { saveText, uniqueName } from '../library/save'
import type { Text } from '../text/en'
import { ExportIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { Menu } from '../ui/parts'

export const FORMATS = ['srt', 'vtt', 'txt', 'json'] as const
export type Format = (typeof FORMATS)[number]
const NAMES: Partial<Record<Format, string>> = { srt: 'SubRip', vtt: 'WebVTT', json: 'JSON' }

export const formatName = (format: Format, text: Text): string => `${NAMES[format] ?? text.plainText} (.${format})`

/** Whether a document of the server's has anything in it that was said. */
export function hasWords(format: Format, document: string): boolean {
  if (format === 'json') return (JSON.parse(document) as { segments: unknown[] }).segments.length > 0
  return format === 'vtt' ? document.includes('-->') : document.trim() !== ''
}

/** Saves a transcript under its title, as the server writes it; where nothing was said there is no file, and the error says so. */
export async function saveTranscript({ id, title }: Pick<MediaSummary, 'id' | 'title'>, format: Format, text: Text, taken = new Set<string>()): Promise<void> {
  const document = await apiBlob(`${mediaPath(id)}/transcript.${format}`)
  if (!hasWords(format, await document.text())) throw new Error(text.nothingToExport)
  saveText(uniqueName(title, format, taken), document)
}

/** `none`: why there is nothing to export; then it is said when it is asked for. */
export function ExportMenu({ media, none, text }: { media: string; none: string | null; text: Text }) {
  const { show } = useNotices()
  const face = (
    <>
      <ExportIcon />
      <span>{text.exportAs}</span>
    </>
  )
  if (none !== null) {
    return (
      <button type="button" className="button plain" aria-disabled title={none} onClick={() => show({ text: none })}>
        {face}
      </button>
    )
  }
  return (
    <Menu
      label={text.exportAs}
      className="exports"
      items={FORMATS.map((format) => ({ label: formatName(format, text), href: `${mediaPath(media)}/transcript.${format}`, download: true }))}
      button={face}
    />
  )
}
