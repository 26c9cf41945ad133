// Where a view fails to render, this is shown in its place; the rest of the page goes on.
import { Component, type ReactNode } from 'react'
import { useText } from '../text'
import { Button, Empty } from './parts'

interface State {
  error: Error | null
}

export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null }

  static getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }

  override render() {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children
  }
}

function Broken({ error }: { error: Error }) {
  const text = useText()
  return (
    <div role="alert" data-testid="broken">
      <Empty title={text.broken}>
        <p className="muted">{text.brokenHint}</p>
        <p>
          <code>{error.message}</code>
        </p>
        <Button kind="primary" onClick={() => location.reload()}>
          {text.reload}
        </Button>
      </Empty>
    </div>
  )
}
