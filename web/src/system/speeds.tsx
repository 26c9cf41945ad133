import { useQuery } from '@tanstack/react-query'
import { systemQuery } from '../api/system'
import { useText } from '../text'

/** How fast each model is on this machine, as learned from what it did. */
export function Speeds() {
  const text = useText()
  const system = useQuery(systemQuery)
  // Finishing takes no time that would tell of the machine.
  const speeds = (system.data?.speeds ?? []).filter((s) => s.seconds_per_audio_second > 0 && s.step !== 'finalize')
  const fastest = Math.max(...speeds.map((s) => 1 / s.seconds_per_audio_second), 1)
  return (
    <section className="card facts speeds">
      <h2>{text.speeds}</h2>
      {speeds.length === 0 && <p className="muted">{text.speedsNone}</p>}
      <dl>
        {speeds.map((s) => (
          <div key={`${s.step}.${s.engine}.${s.model}`}>
            <dt>
              {text.steps[s.step] ?? s.step}
              {s.model ? ` · ${s.model}` : ''}
            </dt>
            <dd>
              <span className="speed-bar" aria-hidden="true">
                <span style={{ width: `${Math.max(3, (Math.log1p(1 / s.seconds_per_audio_second) / Math.log1p(fastest)) * 100)}%` }} />
              </span>
              {text.timesRealtime(1 / s.seconds_per_audio_second)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
