// The parts that every view is made of.
import { type ComponentProps, type ReactNode, useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState } from 'react'
import { useText } from '../text'
import { giveBack, isFocusLost, trailOf } from './focus'
import { useNotices } from './notices'
import { CloseIcon, MoreIcon } from './icons'

/** A button that cannot be pressed just now: it keeps the focus where it has it, which would fall to the document otherwise. */
export function PlainButton({ disabled = false, onClick, onBlur, ref, ...rest }: ComponentProps<'button'>) {
  const own = useRef<HTMLButtonElement>(null)
  useImperativeHandle(ref, () => own.current as HTMLButtonElement)
  useLayoutEffect(() => {
    if (own.current) own.current.disabled = disabled && document.activeElement !== own.current
  })
  return (
    <button
      type="button"
      {...rest}
      ref={own}
      aria-disabled={disabled || undefined}
      onClick={(event) => (disabled ? event.preventDefault() : onClick?.(event))}
      onBlur={(event) => {
        event.currentTarget.disabled = disabled
        onBlur?.(event)
      }}
    />
  )
}

type ButtonProps = ComponentProps<'button'> & { 'data-first'?: true | undefined; kind?: 'plain' | 'primary' | 'quiet' | 'danger'; icon?: ReactNode; small?: boolean }

export function Button({ kind = 'plain', icon, small, className = '', children, ...rest }: ButtonProps) {
  return (
    <PlainButton className={`button ${kind} ${small ? 'small' : ''} ${className}`} {...rest}>
      {icon}
      {children !== undefined && <span>{children}</span>}
    </PlainButton>
  )
}

export function IconButton({ label, className = '', ...rest }: ComponentProps<'button'> & { label: string }) {
  return <PlainButton className={`icon-button ${className}`} aria-label={label} title={label} {...rest} />
}

export function Bar({ percent, label, tone = 'run' }: { percent: number; label: string; tone?: string }) {
  const shown = Math.max(0, Math.min(100, percent))
  return (
    <div className={`bar ${tone}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.floor(shown)}>
      <div style={{ transform: `scaleX(${shown / 100})` }} />
    </div>
  )
}

/**
 * A modal dialog: the browser's own, which holds the focus and closes with Esc. It begins at what has
 * `data-first`, and gives the focus back to what had it; where that is gone, next to it. `firm`: it is closed by
 * its buttons alone.
 */
export function Dialog({ title, onClose, children, wide, firm }: { title: string; onClose: () => void; children: ReactNode; wide?: boolean; firm?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null)
  const before = useRef<readonly Element[] | null>(null)
  const pressed = useRef<EventTarget | null>(null)
  const { within } = useNotices()
  const text = useText()
  const id = useId()
  // Before anything is painted, and at the end while the dialog is still there: keys that come soon after go
  // to where they are meant.
  useLayoutEffect(() => {
    const dialog = ref.current
    if (!dialog) return
    before.current ??= trailOf(document.activeElement)
    dialog.showModal()
    const first = dialog.querySelector<HTMLElement>('[data-first]')
    first?.focus()
    if (first instanceof HTMLInputElement) first.select()
    const tellOutside = within(dialog)
    return () => {
      tellOutside()
      dialog.close()
      if (isFocusLost()) giveBack(before.current ?? [])
    }
  }, [within])
  return (
    <dialog
      ref={ref}
      className={wide ? 'wide' : ''}
      aria-labelledby={id}
      onClose={() => {
        if (!ref.current?.open) onClose()
      }}
      onCancel={(e) => {
        if (firm) e.preventDefault()
      }}
      // Beside it: pressed there, too, and not only let go, as at the end of a selection.
      onPointerDown={(e) => (pressed.current = e.target)}
      onMouseDown={(e) => {
        if (firm && e.target === ref.current) e.preventDefault() // the focus stays where it is
      }}
      onClick={(e) => {
        if (!firm && e.target === ref.current && pressed.current === ref.current) ref.current?.close()
      }}
    >
      <div className="dialog-body">
        <header>
          <h2 id={id} dir="auto">
            {title}
          </h2>
          {!firm && (
            <IconButton label={text.close} onClick={() => ref.current?.close()}>
              <CloseIcon />
            </IconButton>
          )}
        </header>
        {children}
      </div>
    </dialog>
  )
}

export function Confirm(props: { title: string; hint: string; yes: string; no: string; danger?: boolean; onYes: () => void; onClose: () => void }) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p className="muted">{props.hint}</p>
      <div className="dialog-buttons">
        <Button onClick={props.onClose} data-first={props.danger || undefined}>
          {props.no}
        </Button>
        <Button
          kind={props.danger ? 'danger' : 'primary'}
          data-first={!props.danger || undefined}
          onClick={() => {
            props.onYes()
            props.onClose()
          }}
        >
          {props.yes}
        </Button>
      </div>
    </Dialog>
  )
}

export interface MenuItem {
  label: string
  icon?: ReactNode
  danger?: boolean
  disabled?: boolean
  checked?: boolean
  href?: string
  download?: boolean
  onPick?: () => void
}

/** Where there is room for a list: below its button, or above it; not under the bars of the page. */
function sideOf(list: HTMLElement): 'below' | 'above' {
  const { bottom, height } = list.getBoundingClientRect()
  const bars = [...document.querySelectorAll('.top, .nav')].map((bar) => bar.getBoundingClientRect())
  const lowest = Math.min(innerHeight, ...bars.map((bar) => bar.top).filter((top) => top > innerHeight / 2))
  const highest = Math.max(0, ...bars.map((bar) => bar.bottom).filter((end) => end < innerHeight / 2))
  const button = list.parentElement?.getBoundingClientRect().top ?? 0
  return bottom <= lowest || button - highest < height ? 'below' : 'above'
}

/** A button with a list of actions under it, or over it: arrows move, Esc leaves. */
export function Menu({ label, items, button, icon, className = '' }: { label: string; items: (MenuItem | null)[]; button?: ReactNode; icon?: ReactNode; className?: string }) {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const list = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (open && list.current) list.current.dataset.side = sideOf(list.current)
  }, [open])
  useEffect(() => {
    if (!open) return
    list.current?.querySelector<HTMLElement>('[role^=menuitem]:not([aria-disabled=true])')?.focus()
    const away = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false)
    }
    document.addEventListener('pointerdown', away)
    return () => document.removeEventListener('pointerdown', away)
  }, [open])
  const leave = () => {
    setOpen(false)
    root.current?.querySelector('button')?.focus()
  }
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (!open) {
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
      event.preventDefault()
      event.stopPropagation()
      setOpen(true)
      return
    }
    const entries = [...(list.current?.querySelectorAll<HTMLElement>('[role^=menuitem]:not([aria-disabled=true])') ?? [])]
    const at = entries.indexOf(document.activeElement as HTMLElement)
    const move = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 }[event.key]
    if (move !== undefined) entries[move % entries.length]?.focus()
    else if (event.key === 'Escape') leave()
    else if (event.key === 'Tab') leave() // and from there
    if (move !== undefined || event.key === 'Escape') event.preventDefault()
    event.stopPropagation() // no key of the view is meant
  }
  return (
    <div className={`menu ${className}`} ref={root} onKeyDown={onKeyDown}>
      {button ? (
        <button type="button" className="button plain" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
          {button}
        </button>
      ) : (
        <IconButton label={label} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
          {icon ?? <MoreIcon />}
        </IconButton>
      )}
      {open && (
        <div className="menu-list" role="menu" aria-label={label} ref={list}>
          {items.map((item, i) =>
            item === null ? (
              <hr key={i} />
            ) : item.href ? (
              <a key={i} role="menuitem" tabIndex={-1} href={item.href} download={item.download ? '' : undefined} onClick={leave}>
                {item.icon}
                <span>{item.label}</span>
              </a>
            ) : (
              <button
                key={i}
                type="button"
                role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
                aria-checked={item.checked}
                aria-disabled={item.disabled || undefined}
                tabIndex={-1}
                className={item.danger ? 'danger' : ''}
                onClick={() => {
                  if (item.disabled) return
                  leave()
                  item.onPick?.()
                }}
              >
                {item.icon}
                <span>{item.label}</span>
                {item.checked && <span className="tick" aria-hidden="true" />}
              </button>
            ),
          )}
        </div>
      )}
    </div>
  )
}

/** Seen only where it takes longer than a moment. */
export function Loading() {
  const text = useText()
  return (
    <p className="loading" aria-busy="true">
      {text.loading}
    </p>
  )
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <svg className="empty-art" viewBox="0 0 120 44" aria-hidden="true">
        {[8, 16, 28, 20, 34, 40, 26, 36, 22, 30, 14, 24, 10, 16, 6].map((h, i) => (
          <rect key={i} x={4 + i * 7.6} y={22 - h / 2} width="3.6" height={h} rx="1.8" />
        ))}
      </svg>
      <h2 dir="auto">{title}</h2>
      {children}
    </div>
  )
}
