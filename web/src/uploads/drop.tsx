// Files dropped anywhere on the page, and the button that asks for them.
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from 'react'
import { useText } from '../text'
import { useMay } from '../ui/may'
import { go } from '../ui/route'
import { uploads } from './store'

const Context = createContext<() => void>(() => {})
/** Opens the browser's choice of files. */
export const useChooseFiles = (): (() => void) => useContext(Context)

async function filesOf(transfer: DataTransfer): Promise<File[]> {
  // Folders come as entries, and are read in full.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  const found: File[] = []
  const read = async (entry: FileSystemEntry): Promise<void> => {
    if (entry.isFile) {
      found.push(await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed)))
      return
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed))
      if (some.length === 0) return
      for (const one of some) await read(one)
    }
  }
  if (entries.length > 0 && entries.every((e) => e !== null)) {
    for (const entry of entries) if (entry) await read(entry)
    return found.filter((f) => !f.name.startsWith('.'))
  }
  return [...transfer.files]
}

export function DropZone({ children }: { children: ReactNode }) {
  const text = useText()
  const [over, setOver] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const mayNow = useRef(true)
  mayNow.current = useMay().change
  const take = useCallback((files: File[]) => {
    if (files.length === 0 || !mayNow.current) return
    uploads.add(files)
    if (!/^#\/(\?|$)|^$/.test(location.hash)) go({ view: 'library', query: '', status: '', sort: '' })
  }, [])

  useEffect(() => {
    let depth = 0
    const carriesFiles = (e: DragEvent) => e.dataTransfer?.types.includes('Files') ?? false
    const enter = (e: DragEvent) => {
      if (!carriesFiles(e)) return
      depth += 1
      setOver(mayNow.current)
    }
    const leave = (e: DragEvent) => {
      if (!carriesFiles(e)) return
      depth -= 1
      if (depth <= 0) setOver(false)
    }
    const hover = (e: DragEvent) => {
      if (carriesFiles(e)) e.preventDefault()
    }
    const drop = (e: DragEvent) => {
      if (!carriesFiles(e) || !e.dataTransfer) return
      e.preventDefault()
      depth = 0
      setOver(false)
      void filesOf(e.dataTransfer).then(take)
    }
    addEventListener('dragenter', enter)
    addEventListener('dragleave', leave)
    addEventListener('dragover', hover)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('dragenter', enter)
      removeEventListener('dragleave', leave)
      removeEventListener('dragover', hover)
      removeEventListener('drop', drop)
    }
  }, [take])

  const choose = useMemo(() => () => input.current?.click(), [])
  return (
    <Context.Provider value={choose}>
      {children}
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="files"
        aria-label={text.addFiles}
        onChange={(e) => {
          take([...(e.target.files ?? [])])
          e.target.value = ''
        }}
      />
      {over && (
        <div className="drop-over" aria-hidden="true">
          <div>
            <strong>{text.dropHere}</strong>
            <span>{text.dropHint}</span>
          </div>
        </div>
      )}
    </Context.Provider>
  )
}
