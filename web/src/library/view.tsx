// The library: every recording, newest first, with what becomes of it.
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { defaultRangeExtractor, type Range, useWindowVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { useFeatures } from '../api/features'
import type { MediaSummary, Page } from '../api/types'
import { isForgotten } from '../live/apply'
import { libraryKey, libraryPage } from '../live/library'
import { reason } from '../media/actions'
import { useText } from '../text'
import { withItem } from '../transcript/items'
import { useChooseFiles } from '../uploads/drop'
import { UploadPanel, useAnyUpload } from '../uploads/panel'
import { useKeys, useTitle } from '../ui/hooks'
import { useLetterKeys } from '../ui/letter-keys'
import { useMay } from '../ui/may'
import { useTop } from '../ui/use-top'
import { SearchIcon } from '../ui/icons'
import { useNotices } from '../ui/notices'
import { Button, Empty, Loading } from '../ui/parts'
import { go, type Route } from '../ui/route'
import { BulkBar } from './bulk'
import { ImportBox } from './import'
import { Row } from './row'
import { SearchHits, useHits } from './search'

const ROW_PX = 68
const rowHeight = () => ROW_PX

export function LibraryView({ route }: { route: Extract<Route, { view: 'library' }> }) {
  const text = useText()
  const client = useQueryClient()
  const features = useFeatures()
  const may = useMay()
  const choose = useChooseFiles()
  const anyUpload = useAnyUpload()
  const { say } = useNotices()
  const letters = useLetterKeys()
  useTitle(text.appName)

  // Typing changes the address soon after, without a step in the history for each letter.
  const [typed, setTyped] = useState(route.query)
  const typedNow = useRef(typed)
  typedNow.current = typed
  useEffect(() => {
    if (route.query !== typedNow.current.trim()) setTyped(route.query)
  }, [route.query])
  useEffect(() => {
    const timer = setTimeout(() => {
      if (typed.trim() !== route.query) go({ ...route, query: typed.trim() }, true)
    }, 200)
    return () => clearTimeout(timer)
  }, [typed, route])
  const searchBox = useRef<HTMLInputElement>(null)

  const filter = useMemo(() => ({ status: route.status, search: route.query, sort: route.sort }), [route.status, route.query, route.sort])
  const list = useInfiniteQuery({
    queryKey: libraryKey(filter),
    queryFn: ({ pageParam, signal }): Promise<Page<MediaSummary>> => libraryPage(client, filter, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  })
  const listed = useMemo(() => list.data?.pages.flatMap((p) => p.items.filter((m) => !isForgotten(client, m.id))) ?? [], [list.data, client])
  const items = useDeferredValue(listed)
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list

  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const picked = useMemo(() => items.filter((m) => selected.has(m.id)), [items, selected])
  const toggle = useCallback((id: string) => {
    setSelected((all) => {
      const next = new Set(all)
      if (!next.delete(id)) next.add(id)
      return next
    })
  }, [])

  const listTop = useRef<HTMLUListElement>(null)
  const scrollMargin = useTop(listTop)
  // What has the focus stays in the document, however far it is scrolled away.
  const [focused, setFocused] = useState<string | null>(null)
  const held = useMemo(() => (focused === null ? -1 : items.findIndex((m) => m.id === focused)), [items, focused])
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: rowHeight,
    overscan: 8,
    scrollMargin,
    // A row that is gone to by the keyboard is clear of the bars over the page.
    scrollPaddingStart: ROW_PX,
    scrollPaddingEnd: ROW_PX,
    useFlushSync: false,
    getItemKey: useCallback((i: number) => items[i]?.id ?? i, [items]),
    rangeExtractor: useCallback((range: Range) => withItem(defaultRangeExtractor(range), held), [held]),
  })
  const rows = virtual.getVirtualItems()
  const lastShown = virtual.range?.endIndex ?? -1
  useEffect(() => {
    if (lastShown >= items.length - 20 && hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [lastShown, items.length, hasNextPage, isFetchingNextPage, fetchNextPage])

  const [cursor, setCursor] = useState(-1)
  const move = (by: number) => {
    if (items.length === 0) return
    const next = Math.max(0, Math.min(items.length - 1, cursor + by))
    setCursor(next)
    virtual.scrollToIndex(next, { align: 'auto' })
    requestAnimationFrame(() => listTop.current?.querySelector<HTMLElement>(`[data-index="${next}"] .row-title`)?.focus())
  }
  useKeys({
    '/': () => searchBox.current?.focus(),
    'ctrl+k': () => searchBox.current?.focus(),
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    x: () => {
      const item = items[cursor]
      if (!item) return false
      toggle(item.id)
    },
    // However far down the last one is that was selected.
    b: () => {
      const first = listTop.current?.parentElement?.querySelector<HTMLElement>('.bulk .button')
      if (!first) return false
      first.focus()
    },
    Escape: () => {
      if (selected.size === 0) return false
      setSelected(new Set())
    },
  })

  const filtered = filter.status !== '' || filter.search !== ''
  const settled = list.isSuccess && !list.isPlaceholderData
  // By the list itself: what is drawn of it comes a moment later.
  const blank = settled && listed.length === 0 && !filtered
  const searching = features.search && route.query !== ''
  const hits = useHits(route.query, features.search)
  const nothing = settled && listed.length === 0 && filtered && (!searching || hits.none)
  // Typing goes on while the list changes: what was found is read out as well.
  const found = route.query === '' || !settled ? '' : nothing ? text.nothingFor(route.query) : listed.length > 0 ? text.recordings(listed.length, hasNextPage) : ''
  useEffect(() => {
    if (found) say(found)
  }, [found, say])
  const states = ['processing', 'pending', 'retrying', 'completed', 'partial_failure', 'failed', 'cancelled'] as const

  return (
    <div className="library">
      <h1 className="sr-only">{text.library}</h1>
      {!blank && (
        <div className="library-tools">
          <label className="search">
            <SearchIcon />
            <span className="sr-only">{features.search ? text.searchLabel : text.searchTitles}</span>
            <input
              ref={searchBox}
              type="search"
              value={typed}
              placeholder={features.search ? text.searchLabel : text.searchTitles}
              dir="auto"
              spellCheck={false}
              onChange={(e) => setTyped(e.target.value)}
              onKeyDown={(e) => {
                if (e.key === 'Escape') {
                  setTyped('')
                  document.getElementById('main')?.focus({ preventScroll: true })
                }
              }}
            />
            {letters && <kbd aria-hidden="true">/</kbd>}
          </label>
          <label className="select">
            <span className="sr-only">{text.filter}</span>
            <select value={route.status} onChange={(e) => go({ ...route, status: e.target.value })}>
              <option value="">{text.filterAll}</option>
              {states.map((s) => (
                <option key={s} value={s}>
                  {text.state(s)}
                </option>
              ))}
            </select>
          </label>
          <label className="select">
            <span className="sr-only">{text.sort}</span>
            <select value={route.query ? '' : route.sort} disabled={route.query !== ''} onChange={(e) => go({ ...route, sort: e.target.value })}>
              <option value="">{text.sortNewest}</option>
              <option value="oldest">{text.sortOldest}</option>
              <option value="title">{text.sortTitle}</option>
              <option value="longest">{text.sortLongest}</option>
            </select>
          </label>
        </div>
      )}
      {features.import && may.change && <ImportBox />}
      <UploadPanel />
      {searching && <SearchHits of={hits} />}
      {list.isPending && <Loading />}
      {list.isError && (
        <Empty title={text.loadFailed}>
          <p className="muted">{reason(list.error)}</p>
          <Button onClick={() => void list.refetch()}>{text.tryAgain}</Button>
        </Empty>
      )}
      {blank && !anyUpload && (
        <Empty title={text.emptyTitle}>
          <p className="muted">{text.emptyText}</p>
          {may.change && (
            <Button kind="primary" onClick={choose}>
              {text.emptyLink}
            </Button>
          )}
        </Empty>
      )}
      {nothing && (
        <Empty title={route.query ? text.nothingFor(route.query) : text.noneTitle}>
          <p className="muted">{!route.query ? text.noneText : route.status ? text.nothingFiltered : text.nothingForText}</p>
          <Button
            onClick={() => {
              go({ ...route, query: '', status: '' }, true)
              searchBox.current?.focus()
            }}
          >
            {route.query && !route.status ? text.clearSearch : text.clearFilter}
          </Button>
        </Empty>
      )}
      {items.length > 0 && (
        <div className="list-head">
          {picked.length > 0 ? (
            <BulkBar picked={picked} all={items} onSelect={setSelected} />
          ) : (
            <>
              <span className="muted" data-testid="count">
                {text.recordings(items.length, hasNextPage)}
              </span>
              <button type="button" className="link" onClick={() => setSelected(new Set(items.map((m) => m.id)))}>
                {text.selectAll}
              </button>
            </>
          )}
        </div>
      )}
      <ul className={`rows ${picked.length > 0 ? 'selecting' : ''}`} role="list" ref={listTop} style={{ height: virtual.getTotalSize() }} onFocus={(e) => setFocused(e.target.closest<HTMLElement>('[data-media]')?.dataset.media ?? null)} onBlur={(e) => e.relatedTarget && setFocused(null)}>
        {rows.map((v) => {
          const item = items[v.index]
          return item ? (
            <Row
              key={item.id}
              item={item}
              index={v.index}
              total={items.length}
              top={v.start - scrollMargin}
              selected={selected.has(item.id)}
              onToggle={toggle}
              onFocus={setCursor}
              poster={features.poster}
            />
          ) : null
        })}
      </ul>
    </div>
  )
}
