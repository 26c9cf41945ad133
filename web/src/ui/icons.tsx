// The page's own small set of pictures: 20 by 20, drawn in the colour of the text.
import type { ReactNode } from 'react'

const draw = (children: ReactNode) =>
  function Icon() {
    return (
      <svg className="icon" viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        {children}
      </svg>
    )
  }

export const PlusIcon = draw(<path d="M10 4v12M4 10h12" />)
export const SearchIcon = draw(
  <>
    <circle cx="9" cy="9" r="5.2" />
    <path d="m13 13 3.6 3.6" />
  </>,
)
export const MoreIcon = draw(
  <g fill="currentColor" stroke="none">
    <circle cx="4.5" cy="10" r="1.5" />
    <circle cx="10" cy="10" r="1.5" />
    <circle cx="15.5" cy="10" r="1.5" />
  </g>,
)
export const PlayIcon = draw(<path d="M6.5 4.2v11.6l9.3-5.8z" fill="currentColor" />)
export const PauseIcon = draw(<path d="M7 4.5v11M13 4.5v11" strokeWidth="2.6" />)
export const CloseIcon = draw(<path d="m5 5 10 10M15 5 5 15" />)
export const BackIcon = draw(<path d="M12.5 4.5 7 10l5.5 5.5" />)
export const DownIcon = draw(<path d="m5.5 8 4.5 4.5L14.5 8" />)
export const UpIcon = draw(<path d="m5.5 12 4.5-4.5 4.5 4.5" />)
export const RetryIcon = draw(<path d="M15.8 8.2A6.2 6.2 0 1 0 16 11.5M16.2 4.4v4h-4" />)
export const StopIcon = draw(<rect x="5.5" y="5.5" width="9" height="9" rx="1.6" fill="currentColor" />)
export const TrashIcon = draw(<path d="M4.5 6h11M8 6V4.4h4V6M6 6l.7 9.6h6.6L14 6" />)
export const ExportIcon = draw(<path d="M10 3.6v8.6m0 0L6.6 8.9M10 12.2l3.4-3.3M4.2 13v3h11.6v-3" />)
export const PenIcon = draw(<path d="m4.5 15.5.7-3L13 4.7l2.3 2.3-7.8 7.8z" />)
export const CheckIcon = draw(<path d="m4.5 10.5 3.6 3.6 7.4-8" />)
export const WarnIcon = draw(<path d="M10 3.4 17.2 16H2.8zM10 8v3.6M10 13.9v.1" />)
export const ClockIcon = draw(
  <>
    <circle cx="10" cy="10" r="6.4" />
    <path d="M10 6.4V10l2.4 1.6" />
  </>,
)
export const SoundIcon = draw(<path d="M4 8.6v2.8M7 6v8M10 4v12M13 7v6M16 9v2" />)
export const FilmIcon = draw(
  <>
    <rect x="3.4" y="5" width="13.2" height="10" rx="1.8" />
    <path d="M8.6 8v4l3.2-2z" fill="currentColor" />
  </>,
)
export const ListIcon = draw(<path d="M4 6h12M4 10h12M4 14h8" />)
export const QueueIcon = draw(<path d="M4 5.5h12M4 10h12M4 14.5h6M13.5 13v4l3.2-2z" />)
export const GaugeIcon = draw(<path d="M4.2 14.4a6.8 6.8 0 1 1 11.6 0M10 11.4l3-3.6" />)
export const KeyboardIcon = draw(
  <>
    <rect x="2.8" y="5.4" width="14.4" height="9.2" rx="1.8" />
    <path d="M5.6 8.4h.1M8.5 8.4h.1M11.4 8.4h.1M14.3 8.4h.1M7 11.6h6" />
  </>,
)
export const UndoIcon = draw(<path d="M7.4 4.6 4 8l3.4 3.4M4.2 8H12a4 4 0 0 1 0 8H8" />)
export const RedoIcon = draw(<path d="M12.6 4.6 16 8l-3.4 3.4M15.8 8H8a4 4 0 0 0 0 8h4" />)
export const CopyIcon = draw(<path d="M7 7V4h9v9h-3M4 7h9v9H4z" />)
export const PersonIcon = draw(
  <>
    <circle cx="10" cy="7" r="3" />
    <path d="M4.4 16c.6-3 2.700-4.400 5.600-4.400s5 1.400 5.600 4.400" />
  </>,
)
