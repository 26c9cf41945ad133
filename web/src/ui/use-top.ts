import { type RefObject, useLayoutEffect, useState } from 'react'

/** How far below the top of the document an element begins, in px; looked at anew when the document's height changes, and with `about`. */
export function useTop(element: RefObject<HTMLElement | null>, about?: unknown): number {
  const [top, setTop] = useState(0)
  useLayoutEffect(() => {
    const measure = () => {
      const box = element.current?.getBoundingClientRect()
      if (box) setTop(Math.round(box.top + scrollY))
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [element, about])
  return top
}
