import { useEffect, useState } from 'preact/hooks'
import { number } from '../../shared/number.ts'
import type { Entry } from '../messages.ts'
import { percent } from './drawn-graph.ts'
import { type RunData, type Source, textOf } from './store.ts'

interface PanelOptions {
  run: RunData
  node: string
  source: Source
  onClose: () => void
}

/** What a node is for, how it does, its settings, its ports, and the items that reach it. */
export function NodePanel({ run, node: name, source, onClose }: PanelOptions) {
  const facts = run.nodes.find(node => node.name === name)
  const status = run.status?.nodes.find(node => node.name === name)
  return (
    <section class="panel" aria-label={`Node ${name}`}>
      <h2>
        {name} <small>{facts?.operator ?? status?.operator}</small>
        <button type="button" class="plain" onClick={onClose} aria-label="Close">
          ×
        </button>
      </h2>
      {facts && <p>{facts.summary}</p>}
      {status && (
        <dl class="facts">
          {[
            ['now', status.state],
            ['items taken', String(status.items)],
            ['items a second', number(status.rate)],
            ['worked', `${status.workSeconds.toFixed(1)} s`],
            ['working', percent(status.working)],
            ['waiting for room', percent(status.blocked)],
            ['waiting for items', percent(status.waiting)],
            ['blocked by', status.state === 'ended' ? '–' : (status.blockedBy ?? 'nobody')],
          ].map(([title, value]) => (
            <div key={title}>
              <dt>{title}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {facts && facts.config.length > 0 && (
        <details open>
          <summary>Settings</summary>
          <table class="pairs">
            <tbody>
              {facts.config.map(({ name: field, value, description }) => (
                <tr key={field} title={description}>
                  <th>{field}</th>
                  <td class="wrap">
                    {textOf(value) || '–'}
                    <small>{description}</small>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
      {facts && (
        <ul class="ports">
          {facts.inputs.map(port => (
            <li key={port.name}>
              in <b>{port.name}</b> ({port.kind}) from {port.from?.join(', ') || 'nothing'}
              {source.tap && run.status && !run.status.ended && (port.from?.length ?? 0) > 0 && (
                <Tap run={run} end={`${name}.${port.name}`} source={source} />
              )}
            </li>
          ))}
          {facts.outputs.map(port => (
            <li key={port.name}>
              out <b>{port.name}</b> ({port.kind})
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

const mostItems = 5

/** Items as they arrive, with what they hold. */
function Tap({ run, end, source }: { run: RunData; end: string; source: Source }) {
  const [open, setOpen] = useState(false)
  const [items, setItems] = useState<readonly Entry[]>([])
  useEffect(() => {
    if (!open) return
    return source.tap?.(run.id, end, item => setItems(before => [item, ...before].slice(0, mostItems)))
  }, [open, source, run.id, end])
  return (
    <>
      {' '}
      <button type="button" onClick={() => setOpen(!open)} aria-pressed={open}>
        {open ? 'stop' : 'see items'}
      </button>
      {open && items.length === 0 && <p class="soft">Waiting for an item…</p>}
      {items.map((item, i) => (
        <Value key={`${textOf(item.key)} ${i}`} of={item} run={run} source={source} />
      ))}
    </>
  )
}

function Value({ of, run, source }: { of: Entry; run: RunData; source: Source }) {
  const picture = pictureIn(of)
  const tensors = tensorsIn(of.value)
  return (
    <div class="item">
      {picture && <img alt="Frames that the model sees" src={source.picture(run.id, picture)} />}
      {tensors.length > 0 && <TensorTable tensors={tensors} />}
      <pre>{JSON.stringify(of, null, 1)}</pre>
    </div>
  )
}

/** Arrays and tensors of an item: what their elements are like. */
function TensorTable({ tensors }: { tensors: readonly FoundTensor[] }) {
  return (
    <table class="tensors">
      <thead>
        <tr>
          <th>tensor</th>
          <th>type and shape</th>
          <th>least</th>
          <th>mean</th>
          <th>largest</th>
          <th>NaN</th>
        </tr>
      </thead>
      <tbody>
        {tensors.map(({ path, facts }) => (
          <tr key={path}>
            <td>{path || 'value'}</td>
            <td>{textOf(facts.tensor)}</td>
            <td>{textOf(facts.min)}</td>
            <td>{textOf(facts.mean)}</td>
            <td>{textOf(facts.max)}</td>
            <td class={facts.nan ? 'bad' : undefined}>{textOf(facts.nan)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface FoundTensor {
  path: string
  facts: Entry
}

/** The tensors in the short form of a value, with where they are in it. */
function tensorsIn(value: unknown, path = ''): FoundTensor[] {
  if (typeof value !== 'object' || value === null) return []
  if ('tensor' in value) return [{ path, facts: value as Entry }] // an object
  return Object.entries(value).flatMap(([name, inner]) => tensorsIn(inner, path ? `${path}.${name}` : name))
}

/** The first picture in the run's folder that a value names. */
function pictureIn(value: unknown): string | undefined {
  if (typeof value === 'string') return /^frames\/\w+\.jpg$/.test(value) ? value : undefined
  if (typeof value !== 'object' || value === null) return undefined
  for (const inner of Object.values(value)) {
    const found = pictureIn(inner)
    if (found) return found
  }
  return undefined
}
