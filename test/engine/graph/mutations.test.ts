import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import { describe, type Problem } from '../../../engine/graph/problem.ts'
import { report } from '../../../engine/graph/problem-report.ts'
import { operators, resources } from '../../../operators/index.ts'
import { randomOf } from '../../../operators/random.ts'
import { graphsFolder, readGraph, settingsFor } from '../../graphs/graph-files.ts'

// 20 s of work, more on a machine that others use
t.setTimeout(800_000)
const mutations = Number(process.env.FLOW_CASES ?? 10_000)
const files = readdirSync(graphsFolder, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.json'))
  .map(name => join(graphsFolder, name))
const texts = new Map(files.map(file => [file, readFileSync(file, 'utf8')]))
const random = randomOf(Number(process.env.FLOW_SEED ?? 3), 'mutations')
const below = (count: number) => Math.floor(random.uniform() * count)
/** Graphs with parts take longer, and every part is also a graph of its own: one change in eight is enough. */
const pickFile = () => {
  const file = pick(files)
  return below(8) > 0 && texts.get(file)?.includes('"graph": "') ? join(graphsFolder, 'grpo.json') : file
}
function pick<T>(list: readonly T[]): T {
  const item = list[below(list.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

t.test(`${mutations} random changes of valid graphs are valid or wrong at a place`, async t => {
  let valid = 0
  const faults: string[] = []
  for (let i = 0; i < mutations && faults.length < 5; i++) {
    const file = pickFile()
    // a part of an evaluation is checked within a graph that uses it, too
    const changed = i % 8 === 0 ? pick(files) : file
    const text = i % 2 === 0 ? slip(texts.get(changed) ?? '') : JSON.stringify(restructure(changed), null, 1)
    const read = (path: string) => {
      const stored = path === changed ? text : texts.get(path)
      if (stored === undefined) throw new Error('no such file')
      return stored
    }
    try {
      const { plan, problems, warnings } = checkGraph(
        file,
        { operators, resources },
        { read, set: settings(file) },
      )
      report(problems, warnings)
      if (plan) valid++
      if (!plan && problems.length === 0) faults.push(`neither a plan nor a problem:\n${text}`)
      for (const problem of [...problems, ...warnings])
        if (!isPlaced(problem, read)) faults.push(`nowhere: ${describe(problem)}\n${text}`)
    } catch (error) {
      faults.push(`${error instanceof Error ? error.stack : error}\n${text}`)
    }
  }
  t.same(faults, [])
  t.ok(valid > mutations / 100, `${valid} of ${mutations} are still valid`)
  t.ok(valid < mutations * 0.6, 'most are not')
})

/** Values for the params that have no default, so that the graphs are valid before they are changed. */
function settings(file: string): string[] {
  return settingsFor(readGraph(relative(graphsFolder, file)))
}

function isPlaced({ place, path }: Problem, read: (path: string) => string): boolean {
  if (!place) return path !== ''
  const line = read(place.file).split('\n')[place.line - 1]
  return line !== undefined && place.column >= 1 && place.column <= line.length + 1
}

/** The text with a slip of the keyboard or the mouse. */
function slip(text: string): string {
  const at = below(text.length)
  const length = 1 + below(12)
  const signs = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '0',
    '-',
    'e9',
    '.',
    'null',
    '\\',
    '\n',
    '${',
    '\u{1f600}',
    '//',
  ]
  switch (below(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length)
    case 1:
      return text.slice(0, at) + pick(signs) + text.slice(at)
    case 2:
      return text.slice(0, at) + pick(signs) + text.slice(at + 1)
    case 3:
      return text.slice(0, at) + text.slice(at, at + length) + text.slice(at)
    default:
      return text.slice(0, at)
  }
}

/** The graph with a part removed, renamed, copied, or replaced. */
function restructure(file: string): unknown {
  const root: unknown = JSON.parse(texts.get(file) ?? '{}')
  const spots = containersIn(root).filter(({ keys }) => keys.length > 0)
  for (let left = 1 + below(2); left > 0; left--) {
    const { value, keys } = pick(spots)
    const key = pick(keys)
    const names = ['x', 'a.b', '', '__proto__x', 'constructor', 'edge', 'initial', 'maxLag', 'graph', 'from']
    const values = [
      null,
      0,
      -1,
      1.5,
      '',
      'x',
      `\${${pick(names)}}`,
      [],
      {},
      [[]],
      true,
      'samples.samples',
      dirname(file),
    ]
    const other = pick(spots)
    switch (below(4)) {
      case 0:
        delete value[key]
        break
      case 1:
        value[pick(names)] = structuredClone(value[key])
        break
      case 2:
        value[key] = structuredClone(other.value[pick(other.keys)])
        break
      default:
        value[key] = pick(values)
    }
  }
  return root
}

interface Container {
  value: Record<string, unknown>
  keys: string[]
}

function containersIn(value: unknown): Container[] {
  if (typeof value !== 'object' || value === null) return []
  // a list takes keys as an object does, and JSON.stringify leaves out what is not an index
  const container = value as Record<string, unknown>
  const own = { value: container, keys: Object.keys(container) }
  return [own, ...Object.values(container).flatMap(containersIn)]
}
