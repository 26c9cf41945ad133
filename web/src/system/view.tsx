// How the server is: what it is made of, what it holds, how fast it is.
import { useQuery } from '@tanstack/react-query'
import { useFeatures } from '../api/features'
import { askReady, systemQuery } from '../api/system'
import { isActive, type Counts, type Ready, type TaskState } from '../api/types'
import { keys } from '../live/apply'
import { reason } from '../media/actions'
import { useQueue } from '../queue/use-queue'
import { useText } from '../text'
import { bytes, fullTime } from '../text/format'
import { useTitle } from '../ui/hooks'
import { useMay } from '../ui/may'
import { Button, Empty, Loading } from '../ui/parts'
import { Speeds } from './speeds'
import { Tokens } from './tokens'
import { Webhooks } from './webhooks'

export function SystemView() {
  const text = useText()
  const features = useFeatures()
  const health = useQuery({ queryKey: keys.ready, queryFn: ({ signal }) => askReady(signal), refetchInterval: 5000, staleTime: 0 })
  const may = useMay()
  useTitle(`${text.system} · ${text.appName}`)
  if (health.isError && !health.data) {
    return (
      <Empty title={text.loadFailed}>
        <p className="muted">{reason(health.error)}</p>
        <Button onClick={() => void health.refetch()}>{text.tryAgain}</Button>
      </Empty>
    )
  }
  const r = health.data
  if (!r) return <Loading />
  const good = r.status === 'ready'
  // To a stranger (a session that has just ended) the server says no more than that.
  const known = 'housekeeping' in r ? r : null
  return (
    <div className="system">
      <header className="page-head">
        <h1>{text.system}</h1>
        <span className="grow" />
        <span className={`health ${good ? 'good' : 'bad'}`} data-testid="health" role="status">
          <span className={`lamp ${good ? 'good' : 'bad'}`} />
          {good ? text.healthy : (text.unhealthy[r.status] ?? r.status)}
        </span>
      </header>
      {known && <Tiles of={known} />}
      {features.webhooks && may.manage && <Webhooks />}
      {features.tokens && may.manage && <Tokens />}
    </div>
  )
}

const ORDER: readonly TaskState[] = ['completed', 'processing', 'pending', 'retrying', 'partial_failure', 'failed', 'cancelled']

function Tiles({ of: r }: { of: Ready }) {
  const text = useText()
  const features = useFeatures()
  const queue = useQueue()
  const models = useQuery({ ...systemQuery, enabled: features.speeds }).data?.models ?? []
  const memory = (queue.data?.slots ?? []).reduce((sum, s) => sum + s.resident_bytes, 0)
  const counts: Counts | null = r.tasks
  return (
    <div className="tiles">
      <section className="card facts">
        <h2>{text.health}</h2>
        <dl>
          <Fact name={text.version} value={r.version} />
          <Fact name={text.database} value={r.database} />
          <Fact wide name={text.sandbox} value={text.sandboxLevel(r.sandbox)} />
          <Fact wide name={text.reconciled} value={r.housekeeping.reconciled_at ? fullTime(r.housekeeping.reconciled_at, text.tag) : text.never} />
        </dl>
      </section>
      <section className="card facts">
        <h2>{text.workers}</h2>
        <dl>
          <Fact wide name={text.engine} value={models.length > 0 ? models.map((m) => `${m.engine} · ${m.model}`).join(text.comma) : `${r.engine} · ${r.model}`} />
          <Fact name={text.ready} value={text.warm(r.workers.speech.warm, r.workers.speech.slots)} />
          <Fact name={text.lanes.media ?? ''} value={`${r.workers.media.busy} / ${r.workers.media.slots}`} />
          <Fact name={text.memory} value={memory > 0 ? bytes(memory, text.tag) : '–'} />
        </dl>
      </section>
      <section className="card facts">
        <h2>{text.storage}</h2>
        <dl>
          <Fact name={text.diskFree} value={r.disk_free_bytes === null ? '–' : bytes(r.disk_free_bytes, text.tag)} />
          <Fact name={text.source} value={text.missingFiles(r.housekeeping.sources_missing)} />
        </dl>
      </section>
      {counts && (
        <section className="card facts">
          <h2>{text.today}</h2>
          <dl>
            {ORDER.filter((s) => counts[s] > 0 || s === 'completed').map((s) => (
              <Fact key={s} name={text.state(s)} value={counts[s].toLocaleString(text.tag)} href={isActive(s) ? '#/queue' : `#/?status=${s}`} />
            ))}
          </dl>
        </section>
      )}
      {features.speeds && <Speeds />}
    </div>
  )
}

function Fact({ name, value, href, wide }: { name: string; value: string; href?: string; wide?: boolean }) {
  return (
    <div className={wide ? 'wide' : undefined}>
      <dt>{name}</dt>
      <dd dir="auto">{href ? <a href={href}>{value}</a> : value}</dd>
    </div>
  )
}
