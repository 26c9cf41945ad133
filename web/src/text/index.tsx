// The language of the page: the browser's, or the one that the reader chose.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { setCurrentText } from './current'
import { en, type Text } from './en'
import { zh } from './zh'

export type Tongue = 'en' | 'zh'
const SAVED = 'durascribe.language'

interface Choice {
  text: Text
  tongue: Tongue
  choose(tongue: Tongue): void
}

const Context = createContext<Choice>({ text: en, tongue: 'en', choose: () => {} })

export function tongueOf(saved: string | null, languages: readonly string[]): Tongue {
  if (saved === 'en' || saved === 'zh') return saved
  for (const language of languages) {
    if (/^zh\b/i.test(language)) return 'zh'
    if (/^en\b/i.test(language)) return 'en'
  }
  return 'en'
}

export function TextProvider({ children }: { children: ReactNode }) {
  const [tongue, setTongue] = useState<Tongue>(() => tongueOf(localStorage.getItem(SAVED), navigator.languages))
  setCurrentText(tongue === 'zh' ? zh : en)
  useEffect(() => {
    document.documentElement.lang = tongue === 'zh' ? 'zh-Hans' : 'en'
  }, [tongue])
  const value = useMemo<Choice>(
    () => ({
      text: tongue === 'zh' ? zh : en,
      tongue,
      choose: (next) => {
        localStorage.setItem(SAVED, next)
        setTongue(next)
      },
    }),
    [tongue],
  )
  return <Context.Provider value={value}>{children}</Context.Provider>
}

export const useText = (): Text => useContext(Context).text
export const useTongue = (): Choice => useContext(Context)
