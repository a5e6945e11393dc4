import { isObject } from '../../shared/json.ts'
import { dotted, type Path, at as within } from '../file/graph-file.ts'
import type { Locator } from './flat.ts'

/** The param that a value of a graph is, if it is nothing but one: `"${steps}"`. */
export function paramAt({ source, path }: Locator, steps: Path): string | undefined {
  const raw = [...path, ...steps].reduce<unknown>((value, step) => within(value, step), source.value)
  return typeof raw === 'string' ? /^\$\{([\w-]+)\}$/.exec(raw)?.[1] : undefined
}

/** What `--set` changes to change a value: the param of the outermost graph that it is nothing but, or its path. */
export function settingAt(at: Locator, steps: Path): string {
  const param = paramAt(at, steps)
  if (param === undefined) return dotted([...outerPath(at), ...steps])
  return at.within ? settingAt(at.within, ['params', param]) : param
}

/** The path of a part of a sub-graph as the outermost graph has it: `nodes.sub/inner`. */
function outerPath({ path, within: around }: Locator): Path {
  const [section = '', name = '', ...more] = path
  return around ? [section, `${outerPath(around)[1]}/${name}`, ...more] : path
}

/** Words of an operator about its own fields, `--set columns=…`, in the names that the graph has for them. */
export function asInGraph(words: string, at: Locator | undefined, fields: object): string {
  // a whole command is about the graph that it names
  if (!at || words.includes('flow run')) return words
  return words.replace(/--set (\w+)=/g, (same, field) =>
    Object.hasOwn(fields, field) ? `--set ${settingAt(at, ['config', field])}=` : same,
  )
}

/** The params whose sum or product a value is, unless it is set. */
export function followsFrom(at: Locator, steps: readonly string[]): readonly unknown[] {
  const declared = within(within(at.source.value, 'params'), paramAt(at, steps) ?? '')
  const { sum, product } = isObject(declared) ? declared : {}
  return [sum, product].flatMap(parts => (Array.isArray(parts) ? parts : []))
}

/** Where the value of a param came from, for messages: its default, or the params that it is the product of. */
export function originOf(param: string, value: unknown, { source }: Locator): string {
  const declared = within(within(source.value, 'params'), param)
  const { default: fallback, product } = isObject(declared) ? declared : {}
  if (Array.isArray(product)) return `from the param "${param}", which is ${product.join(' · ')}`
  return value === fallback ? `the default of the param "${param}"` : `from the param "${param}"`
}
