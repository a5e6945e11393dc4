import { isObject } from '../../shared/json.ts'
import { near } from '../did-you-mean.ts'
import { type Problem, show } from '../problem.ts'
import { coerce } from './coerce.ts'
import type { Source } from './graph-file.ts'
import { flagFor, paramFor } from './other-names.ts'
import type { Schema } from './schema.ts'
import { type Validator, validator } from './validate.ts'

/** A param with its value; without one when nothing gave it, which has been reported. */
export interface Param {
  readonly name: string
  readonly schema: Schema
  /** Environment variable that may give the value. */
  readonly env?: string
  readonly value?: unknown
  /** The value came from the environment: it is not written into the manifest. */
  readonly secret: boolean
}

export type Params = ReadonlyMap<string, Param>

/** A value given from outside the file: text of `--set`, or the value that an enclosing graph passes. */
export interface Given {
  readonly value: unknown
  /** Where it was given, for messages. */
  readonly problem: Pick<Problem, 'place' | 'path'>
}

/** Gives every declared param its value: given from outside, else from the environment, else the default, else the product or sum. */
export function resolveParams(
  source: Source,
  given: ReadonlyMap<string, Given>,
  environment: Readonly<Record<string, string | undefined>>,
): { params: Params; problems: Problem[]; warnings: Problem[] } {
  const problems: Problem[] = []
  const [products, sums] = [new Map<string, readonly unknown[]>(), new Map<string, readonly unknown[]>()]
  const params = new Map<string, Param>()
  const declared = isObject(source.value) && isObject(source.value.params) ? source.value.params : {}
  for (const [name, declaration] of Object.entries(declared)) {
    if (!isObject(declaration)) continue
    const { default: fallback, product, sum, env, description, ...rules } = declaration
    if (Array.isArray(product)) products.set(name, product)
    if (Array.isArray(sum)) sums.set(name, sum)
    // the structure of `params` is checked with the rest of the file: a declaration that is no set of rules is skipped here
    const check = rulesCheck(rules)
    if (!check) continue
    /** The value, or undefined when it breaks a rule: then the places that use it are not reported as well. */
    const value = (text: unknown, problem: Given['problem'], secret = false) => {
      const read = coerce(text, rules)
      const isNull = text === null || (text === 'null' && isSetting(problem))
      const wrong = check(isNull ? null : read)
      const found = secret ? {} : { found: show(text) }
      const hint = String(description ?? '')
      problems.push(
        ...wrong.map(({ rule, remedy, nearest }) => ({
          code: 'bad-param' as const,
          ...problem,
          rule,
          ...found,
          hint,
          ...(!secret && remedy !== undefined && { remedy: isNull ? withoutNull(remedy) : remedy }),
          ...(!secret && nearest !== undefined && { nearest }),
        })),
      )
      return wrong.length > 0 ? undefined : read
    }
    /** What to do about null, which is no value: it is not what the param is without one. */
    const withoutNull = (remedy: string) => {
      const without =
        fallback === undefined || fallback === null ? 'it must be given by --set' : `it is ${show(fallback)}`
      return `${remedy}, or leave this out: then ${without}`
    }
    const fallbackPlace: Given['problem'] = {
      place: source.place(['params', name, 'default']),
      path: `params.${name}.default`,
    }
    const outside = given.get(name)
    const variable = typeof env === 'string' ? env : undefined
    const base = { name, schema: rules, ...(variable !== undefined && { env: variable }) }
    if (outside) {
      params.set(name, { ...base, secret: false, value: value(outside.value, outside.problem) })
    } else if (variable !== undefined && environment[variable] !== undefined) {
      const path = `\${env:${variable}}`
      params.set(name, { ...base, secret: true, value: value(environment[variable], { path }, true) })
    } else if (fallback !== undefined) {
      params.set(name, { ...base, secret: false, value: value(fallback, fallbackPlace) })
    } else if (products.has(name) || sums.has(name)) {
      params.set(name, { ...base, secret: false })
    } else {
      const remedy =
        variable === undefined ? `--set ${name}=VALUE` : `--set ${name}=VALUE or the variable ${variable}`
      const place = source.place(['params', name], 'key')
      problems.push({
        code: 'missing-param',
        place,
        path: `params.${name}`,
        rule: `must be given a value by ${remedy}`,
      })
      params.set(name, { ...base, secret: false })
    }
  }
  for (const [name, { problem, value }] of given) {
    if (name in declared) continue
    const found = `${name}=${typeof value === 'string' ? value : show(value)}`
    const rule = 'must name a param of the graph'
    problems.push({ code: 'unknown-param', ...problem, rule, found, ...adviceOn(name, source) })
  }
  add(params, sums)
  return { params, problems, warnings: multiply(source, params, products) }
}

/** Whether the command line gave it; there a text `null` is meant as no value. */
export const isSetting = ({ path, place }: Given['problem']): boolean =>
  place === undefined && path.startsWith('--set ')

/** What a name that is no param was most likely meant to be: a param, a flag, or a setting of nodes. */
function adviceOn(name: string, { value }: Source): Pick<Problem, 'hint' | 'nearest' | 'remedy'> {
  const graph = isObject(value) ? value : {}
  const params = Object.keys(isObject(graph.params) ? graph.params : {})
  const other = paramFor(name, params)
  if (other !== undefined) return { hint: `here it is "${other}"`, nearest: other }
  const flag = flagFor(name)
  if (flag !== undefined && !flag.startsWith('--set')) return { remedy: `write ${flag}` }
  const close = near(name, params)
  if (close.nearest !== undefined) return close
  const places = ['nodes', 'resources'].flatMap(section =>
    Object.entries(isObject(graph[section]) ? graph[section] : {}).flatMap(([part, stated]) =>
      isObject(stated) && isObject(stated.config) && Object.hasOwn(stated.config, name)
        ? [`--set ${section}.${part}.config.${name}=VALUE`]
        : [],
    ),
  )
  if (places.length > 0) return { remedy: `write ${places.join(' ')}` }
  return {
    hint: params.length > 0 ? `known: ${params.join(', ')}` : 'it has none',
    remedy: 'write the name of one, or of a setting of a node: --set nodes.NAME.config.FIELD=VALUE',
  }
}

/** The values of params and numbers; a param without one, or a name that is none, gives NaN. */
const valuesOf = (params: Params, terms: readonly unknown[]): number[] =>
  terms.map(term => {
    const value = typeof term === 'string' ? params.get(term)?.value : term
    return typeof value === 'number' ? value : Number.NaN
  })

/** Gives params the sum of others where nothing else gave a value. */
function add(params: Map<string, Param>, sums: ReadonlyMap<string, readonly unknown[]>): void {
  for (const [name, terms] of sums) {
    const param = params.get(name)
    const sum = valuesOf(params, terms).reduce((all, one) => all + one, 0)
    if (param && param.value === undefined && !Number.isNaN(sum)) params.set(name, { ...param, value: sum })
  }
}

/** Gives params the product of others where nothing else gave a value, and warns where another value was given. */
function multiply(
  source: Source,
  params: Map<string, Param>,
  products: ReadonlyMap<string, readonly unknown[]>,
): Problem[] {
  return [...products].flatMap(([name, factors]) => {
    const param = params.get(name)
    const product = valuesOf(params, factors).reduce((all, one) => all * one, 1)
    // a factor without a value has been reported, and one that is no param leaves a hole
    if (!param || Number.isNaN(product) || param.value === product) return []
    if (param.value === undefined) {
      params.set(name, { ...param, value: product })
      return []
    }
    const rule = `differs from ${factors.join(' · ')} = ${product}`
    const place = source.place(['params', name, 'product'])
    const remedy = `leave out ${name}, which follows from ${factors.join(' and ')}, or set them to agree`
    return [
      { code: 'differs' as const, place, path: `params.${name}`, rule, found: show(param.value), remedy },
    ]
  })
}

/** Compiling rules takes longer than the rest of a check: each set of them is compiled once. */
const compiled = new Map<string, Validator | undefined>()

function rulesCheck(rules: Schema): Validator | undefined {
  const text = JSON.stringify(rules)
  if (!compiled.has(text)) compiled.set(text, compileRules(rules))
  return compiled.get(text)
}

function compileRules(rules: Schema): Validator | undefined {
  try {
    return validator(rules)
  } catch {
    return undefined
  }
}
