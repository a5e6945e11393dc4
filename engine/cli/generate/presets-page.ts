import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { isObject } from '../../shared/json.ts'

const begin = '<!-- presets: written by engine/cli/generate/presets.ts -->'
const end = '<!-- /presets -->'

/** Folders of graphs that state what they change in another one, with a title for the table of each. */
const sections = { presets: 'GRPO', controls: 'Controls', eval: 'Benchmarks' } as const

/** A page with the part between its marks replaced by tables of the graphs in a folder: why each exists, what it changes. */
export function withPresets(page: string, folder: string): string {
  const [before = '', rest = ''] = page.split(begin)
  const after = rest.split(end)[1] ?? ''
  const tables = Object.entries(sections).map(([section, title]) => [
    `### ${title}`,
    tableOf(folder, section),
  ])
  return `${before}${[begin, ...tables.flat(), end].join('\n\n')}${after}`
}

function tableOf(folder: string, section: string): string {
  const names = readdirSync(join(folder, section))
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => `${section}/${name}`)
  const rows = withBases(folder, names).map(({ name, base, summary, changes }) => {
    const from = base === undefined ? '' : `\`${base}\``
    return `| [${name.replace('.json', '')}](${name}) | ${from} | ${summary} | ${changes.join(', ')} |`
  })
  return ['| graph | extends | why | what it changes |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

interface Row {
  name: string
  base: string | undefined
  summary: string
  changes: string[]
}

/** A row for each graph, after those of the graphs that it extends; `grpo.json` is described elsewhere. */
function withBases(folder: string, names: readonly string[]): Row[] {
  const rows = new Map<string, Row>()
  const add = (name: string): void => {
    if (rows.has(name)) return
    const graph: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    if (!isObject(graph)) return
    const path =
      typeof graph.extends === 'string' ? posix.join(posix.dirname(name), graph.extends) : undefined
    if (path !== undefined && path !== 'grpo.json') add(path)
    const changes = path === undefined ? [] : changesOf(graph)
    rows.set(name, { name, base: path?.replace('.json', ''), summary: String(graph.summary), changes })
  }
  for (const name of names) add(name)
  return [...rows.values()]
}

/** What a graph that extends another one changes, each change in a few words. */
function changesOf({ params, checkpoint, resources, nodes }: Record<string, unknown>): string[] {
  return [
    ...entries(params).map(([name, param]) => {
      if (param === null) return `no param \`${name}\``
      const { type, default: fallback, product } = isObject(param) ? param : {}
      const value = fallback ?? (Array.isArray(product) ? product.join(' · ') : undefined)
      return type === undefined ? setting(name, value) : `param ${setting(name, value)}`
    }),
    ...partChanges('checkpoint', checkpoint),
    ...[...entries(resources), ...entries(nodes)].flatMap(([name, part]) => partChanges(name, part)),
  ].filter(change => change !== '')
}

function partChanges(name: string, part: unknown): string[] {
  if (part === undefined) return []
  if (part === null) return [`no \`${name}\``]
  if (!isObject(part)) return [setting(name, part)]
  const { operator, resource, config, from, params, ...rest } = part
  const type = operator ?? resource
  if (type !== undefined) return [`\`${name}\`: \`${type}\``]
  return [config, from, params, rest].flatMap(changes =>
    entries(changes).flatMap(([key, value]) => partChanges(`${name}.${key}`, value)),
  )
}

/** A value that is left as it was has no words: then only the text about it changes. */
const setting = (name: string, value: unknown): string =>
  value === undefined ? '' : `\`${name} = ${JSON.stringify(value).replaceAll('|', '\\|')}\``

const entries = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : [])
