// The page's language for what is not a component: failures of requests, mostly.
import { en, type Text } from './en'

let text: Text = en

export const currentText = (): Text => text

export function setCurrentText(now: Text): void {
  text = now
}
