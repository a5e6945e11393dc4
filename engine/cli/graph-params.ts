import { declaredParams } from '../graph/file/declared-params.ts'
import { pathFrom } from '../graph/file/extends.ts'
import { typeText } from './describe-fields.ts'
import { definitions } from './help-text.ts'

/**
 * What `--set` takes of a graph: the type, the default and the description of each param. `values`: those of a plan, which are told
 * where they are not the default.
 */
export function paramLines(file: string, values: Readonly<Record<string, unknown>> = {}): string[] {
  const rows = Object.entries(declaredParams(file)).map(([name, declared]): [string, string] => {
    const { description = '', ...rules } = declared
    const value = values[name]
    const isOther = value !== undefined && !isSame(value, rules.default)
    const here = isOther ? `; here ${JSON.stringify(value)}` : ''
    return [name, `${typeText(rules)}, ${fallback(rules)}${here}. ${description}`]
  })
  if (rows.length === 0) return ['params: none']
  return ['params: --set NAME=VALUE', ...definitions(rows)]
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** What a param is when nothing sets it. */
function fallback(declared: Readonly<Record<string, unknown>>): string {
  const { default: value, product, sum, env } = declared
  const variable = typeof env === 'string' ? `the variable ${env}` : undefined
  const stated =
    value !== undefined
      ? JSON.stringify(value)
      : Array.isArray(product)
        ? product.join(' · ')
        : Array.isArray(sum)
          ? sum.join(' + ').replaceAll('+ -', '− ')
          : undefined
  if (stated === undefined) return variable === undefined ? 'required' : `required, or ${variable}`
  return `default ${variable === undefined ? '' : `${variable}, else `}${stated}`
}

/** The graph that a command names, also a command with mistakes in it. */
export function graphIn(words: readonly string[]): string | undefined {
  const word = words.find(each => /^flow:|^[^=]*\.json$/.test(each))
  return word?.startsWith('flow:') ? pathFrom('.', word) : word
}

/** The names of the params of a graph; none of one that cannot be read, of which the command tells. */
export function paramNames(file: string | undefined): string[] {
  try {
    return file === undefined ? [] : Object.keys(declaredParams(file))
  } catch {
    return []
  }
}
