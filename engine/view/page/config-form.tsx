import type { Field } from '../../operator.ts'
import type { Catalogue, Found } from '../graph-editor.ts'
import { type TextGraph, type TextNode, withEdge, withoutEdge, withValue } from './graph-text.ts'
import { textOf } from './store.ts'

interface FormOptions {
  node: TextNode
  graph: TextGraph
  catalogue: Catalogue
  found: readonly Found[]
  text: string
  onChange: (text: string) => void
}

/** The settings and the inputs of a node, made from what its operator declares. */
export function ConfigForm({ node, graph, catalogue, found, text, onChange }: FormOptions) {
  const { name, operator, config } = node
  const offered = catalogue.operators[operator]
  const problemAt = (path: string) =>
    found.filter(one => one.path === path || one.path.startsWith(`${path}.`)).map(one => one.message)
  const set = (field: string, value: unknown) =>
    onChange(withValue(text, ['nodes', name, 'config', field], value))
  const outputs = graph.nodes.flatMap(other =>
    Object.entries(catalogue.operators[other.operator]?.outputs ?? {}).map(([port, kind]) => {
      return { end: `${other.name}.${port}`, kind }
    }),
  )
  return (
    <section class="panel" aria-label={`Settings of ${name}`}>
      <h2>
        {name} <small>{operator}</small>
      </h2>
      <p>{offered?.summary ?? 'A sub-graph: its settings are in the JSON.'}</p>
      {Object.entries(offered?.inputs ?? {}).map(([port, kind]) => {
        const edge = graph.edges.find(({ to, toPort }) => to === name && toPort === port)
        const problems = problemAt(`nodes.${name}.from.${port}`)
        return (
          <label key={port} class="field">
            <span>
              in {port} <small>{kind}</small>
            </span>
            <select
              value={edge ? `${edge.from}.${edge.fromPort}` : ''}
              onChange={({ currentTarget: { value } }) => {
                const dot = value.lastIndexOf('.')
                const [from, fromPort] = [value.slice(0, dot), value.slice(dot + 1)]
                onChange(
                  value === ''
                    ? withoutEdge(text, { to: name, toPort: port })
                    : withEdge(text, { from, fromPort, to: name, toPort: port }),
                )
              }}
            >
              <option value="">nothing</option>
              {outputs.map(({ end, kind: given }) => (
                <option key={end} value={end}>
                  {end} ({given})
                </option>
              ))}
            </select>
            {problems.length > 0 && <em class="bad">{problems.join('; ')}</em>}
          </label>
        )
      })}
      {Object.entries(offered?.config ?? {}).map(([field, about]) => {
        const problems = problemAt(`nodes.${name}.config.${field}`)
        return (
          <div key={field} class="field">
            <span>{field}</span>
            <FieldInput
              label={field}
              about={about}
              value={config[field]}
              onChange={value => set(field, value)}
            />
            {problems.length > 0 && <em class="bad">{problems.join('; ')}</em>}
            <small>{about.description}</small>
          </div>
        )
      })}
    </section>
  )
}

interface InputOptions {
  label: string
  about: Field
  value: unknown
  onChange: (value: unknown) => void
}

/** An empty field leaves the setting out: the operator's default counts. */
function FieldInput({ label, about, value, onChange }: InputOptions) {
  const fallback = 'default' in about ? textOf(about.default) : 'required'
  const options =
    about.type === 'boolean' ? ['true', 'false'] : 'enum' in about && about.enum ? about.enum : undefined
  if (options)
    return (
      <select
        aria-label={label}
        value={textOf(value)}
        onChange={({ currentTarget }) => onChange(readValue(about, currentTarget.value))}
      >
        <option value="">{fallback}</option>
        {options.map(option => (
          <option key={option}>{option}</option>
        ))}
      </select>
    )
  return (
    <input
      aria-label={label}
      value={textOf(value)}
      placeholder={fallback}
      onChange={({ currentTarget }) => onChange(readValue(about, currentTarget.value))}
    />
  )
}

/** What a text means for a field; a text that is no such value stays a text, and the check says what is wrong with it. */
function readValue({ type }: Field, text: string): unknown {
  if (text === '') return undefined
  if (type === 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
