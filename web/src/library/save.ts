/** A name for a file of its own: what no file system takes is replaced, a second of the same name numbered. */
export function uniqueName(title: string, extension: string, taken: Set<string>): string {
  const base = title.replace(/[\u0000-\u001f\u007f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, '_').replace(/^[. ]+|[. ]+$/g, '').slice(0, 120) || 'transcript'
  let name = `${base}.${extension}`
  for (let n = 2; taken.has(name.toLowerCase()); ++n) name = `${base} (${n}).${extension}`
  taken.add(name.toLowerCase())
  return name
}

export function saveText(name: string, content: Blob): void {
  const url = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
