import { showBytes } from '../../shared/bytes.ts'
import { number } from '../../shared/number.ts'
import { secondsOfRun } from '../../shared/seconds-of-run.ts'
import type { ControlAction } from '../messages.ts'
import type { Shown } from './app.tsx'
import { colourOf } from './colours.ts'
import { type RunData, type Source, stateOf, textOf } from './store.ts'

/** Each run in a line: what it is, how it goes, what it costs. */
export function Header({ store, source }: Shown) {
  const runs = [...store.runs.values()]
  const shown = runs.map(({ id }) => id)
  const others = store.listed.filter(({ id }) => !shown.includes(id))
  return (
    <header>
      {runs.map((run, i) => (
        <RunLine
          key={run.id}
          run={run}
          colour={colourOf(i)}
          {...(runs.length > 1 && { remove: () => source.watch(shown.filter(id => id !== run.id)) })}
          {...(store.control && source.control && { control: source.control })}
        />
      ))}
      {runs.length === 0 && <p class="soft">Waiting for a run.</p>}
      {!store.connected && <p class="problem">The server of this page has gone; what it showed stays.</p>}
      {others.length > 0 && (
        <label class="soft">
          Compare with{' '}
          <select
            value=""
            onChange={event => source.watch([...shown, event.currentTarget.value])}
            aria-label="Add a run"
          >
            <option value="">another run…</option>
            {others.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
      )}
    </header>
  )
}

interface LineOptions {
  run: RunData
  colour: string
  remove?: () => void
  control?: NonNullable<Source['control']>
}

function RunLine({ run, colour, remove, control }: LineOptions) {
  const { manifest } = run
  const state = stateOf(run)
  return (
    <section class="run">
      <h1>
        <i class="dot" style={{ background: colour }} />
        {textOf(manifest.graph) || run.id} <small>{run.id === '.' ? '' : run.id}</small>
        <b class={`state ${state.replaceAll(' ', '-')}`}>{state}</b>
        {remove && (
          <button type="button" class="plain" onClick={remove} aria-label={`Remove ${run.id}`}>
            ×
          </button>
        )}
      </h1>
      <p class="soft">{textOf(manifest.summary)}</p>
      <ErrorLine run={run} />
      <dl class="facts">
        {factsOf(run).map(([name, value, about]) => (
          <div key={name} title={about}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {control && ['running', 'paused'].includes(state) && (
        <p class="buttons">
          {actions(state === 'paused').map(([action, title]) => (
            <button key={action} type="button" onClick={() => control(run.id, action)}>
              {title}
            </button>
          ))}
        </p>
      )}
    </section>
  )
}

const actions = (paused: boolean): [ControlAction, string][] => [
  paused ? ['continue', 'Continue'] : ['pause', 'Pause'],
  ['checkpoint', 'Checkpoint now'],
  ['stop', 'Stop'],
]

function ErrorLine({ run }: { run: RunData }) {
  const { error } = run.manifest
  if (typeof error !== 'object' || error === null || !('message' in error)) return null
  return <p class="problem">{textOf(error.message)}</p>
}

/** Name, value and meaning of each fact that there is. */
function factsOf({ manifest, status, streams }: RunData): [string, string, string][] {
  const { gauges = {}, metrics = {}, progress } = status ?? {}
  const seconds = secondsOfRun(manifest, status?.seconds)
  // what is so at this moment says nothing of a run that is over
  const now = status?.ended ? undefined : status
  const skipped = streams.get('dead-letters')?.length ?? 0
  const facts: [string, string | undefined, string][] = [
    [
      'update',
      progress?.of ? shown(metrics.step) : done(metrics.step, progress?.total),
      'Updates of the weights so far',
    ],
    [progress?.of ?? '', progress?.of && done(progress.done, progress.total), 'Done so far'],
    [
      'accuracy',
      accuraciesOf(manifest),
      'Share of right answers; the report in the folder of results says more',
    ],
    ['reward', shown(metrics.reward), 'Mean reward of the newest update'],
    ['loss', shown(metrics.loss), 'Loss of the newest update'],
    [
      'time',
      seconds === undefined ? undefined : duration(seconds),
      'In which it ran, those before a resume included',
    ],
    ['tokens/s', shown(metrics.tokens_per_second), 'Tokens that the model writes in a second of generation'],
    ['GPU memory', now && bytes(gauges['gpu bytes']), 'Held on the GPU now'],
    ['GPU peak', bytes(gauges['gpu peak bytes']), 'Most that was held on the GPU at once'],
    ['GPU busy', now && percent(gauges['gpu busy']), 'Share of the last second in which the GPU had work'],
    ['under way', now && `${now.live.items} items`, 'Items on edges and in nodes'],
    ['skipped', skipped > 0 ? String(skipped) : undefined, 'Items that failed: see Log'],
    ['seed', textOf(manifest.seed) || undefined, 'Everything random is drawn from it'],
    ['adapter', adapterOf(manifest.adapter), 'GPU and family of kernels'],
  ]
  return facts.flatMap(([name, value, about]) => (value === undefined ? [] : [[name, value, about]]))
}

const done = (count: number | undefined, total: number | undefined): string | undefined =>
  count === undefined || total === undefined ? shown(count) : `${count} of ${total}`

/** Of each folder of results. */
function accuraciesOf({ evaluation }: RunData['manifest']): string | undefined {
  const scores: unknown[] = Array.isArray(evaluation) ? evaluation : []
  const shares = scores.flatMap(score => {
    const accuracy =
      typeof score === 'object' && score !== null && 'accuracy' in score ? score.accuracy : undefined
    return typeof accuracy === 'number' ? `${(100 * accuracy).toFixed(1)} %` : []
  })
  return shares.length === 0 ? undefined : shares.join(', ')
}

const shown = (value: number | undefined): string | undefined =>
  typeof value === 'number' ? number(value) : undefined
const bytes = (value: number | undefined): string | undefined =>
  typeof value === 'number' ? showBytes(value) : undefined
const percent = (value: number | undefined): string | undefined =>
  typeof value === 'number' ? `${Math.round(value * 100)} %` : undefined

function adapterOf(adapter: unknown): string | undefined {
  if (typeof adapter !== 'object' || adapter === null) return textOf(adapter) || undefined
  const { description, device, family } = adapter as Record<string, unknown>
  const name = textOf(description) || textOf(device)
  return [name, textOf(family) && `${textOf(family)} kernels`].filter(Boolean).join(', ') || undefined
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
