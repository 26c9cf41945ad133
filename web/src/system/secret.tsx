import { useText } from '../text'
import { copyText } from '../transcript/copy'
import { CloseIcon, CopyIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { IconButton } from '../ui/parts'

/** What is shown once and never again. */
export function Secret({ value, onClose }: { value: string; onClose: () => void }) {
  const text = useText()
  const { show } = useNotices()
  return (
    <div className="secret note" role="status">
      <span>{text.secretOnce}</span>
      <code data-testid="secret">{value}</code>
      <IconButton
        label={text.copy}
        onClick={() =>
          void copyText(value).then(
            () => show({ text: text.copied }),
            () => show({ text: text.copyFailed, tone: 'bad' }),
          )
        }
      >
        <CopyIcon />
      </IconButton>
      <IconButton label={text.close} onClick={onClose}>
        <CloseIcon />
      </IconButton>
    </div>
  )
}
