import { useText } from '../text'
import { copyText } from '../transcript/copy'
import { CopyIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { Button, Dialog } from '../ui/parts'

/** What is shown once and never again: closed by its button alone. */
export function Secret({ of, value, onClose }: { of: string; value: string; onClose: () => void }) {
  const text = useText()
  const { show } = useNotices()
  return (
    <Dialog title={text.secretOf(of)} onClose={onClose} firm>
      <p className="muted">{text.secretOnce}</p>
      <code className="secret" data-testid="secret">
        {value}
      </code>
      <div className="dialog-buttons">
        <Button onClick={onClose}>{text.close}</Button>
        <Button
          kind="primary"
          data-first
          icon={<CopyIcon />}
          onClick={() =>
            void copyText(value).then(
              () => show({ text: text.copied }),
              () => show({ text: text.copyFailed, tone: 'bad' }),
            )
          }
        >
          {text.copy}
        </Button>
      </div>
    </Dialog>
  )
}
