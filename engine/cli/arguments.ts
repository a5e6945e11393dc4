import { nearest, nearestHint } from '../graph/did-you-mean.ts'
import { flagFor, paramFor } from '../graph/file/other-names.ts'
import { CodedError } from '../shared/errors.ts'

/** A flag of a verb. One that takes no value is a switch. */
export interface Flag {
  /** Name of the value in the help, e.g. `DIR`. */
  value?: string
  /** May be given more than once. */
  many?: boolean
  choices?: readonly string[]
  /** The verb whose help explains it, if that of another verb only names it. */
  explainedBy?: string
  description: string
}

export interface Arguments {
  readonly positional: readonly string[]
  /** All values of a flag, in order; a switch has ''. */
  all(flag: string): readonly string[]
  /** The last value of a flag. */
  last(flag: string): string | undefined
}

/** The command line asks for something that does not exist: exit code 2. */
export class UsageError extends CodedError<'bad-usage'> {
  /** What to do about it; without one, the help of the verb says it. */
  readonly advice: string | undefined

  constructor(message: string, advice?: string) {
    super('bad-usage', message)
    this.advice = advice
  }
}

/** What is asked about a flag that a verb does not take. */
export interface About {
  /** The other verbs that take it. */
  ownersOf(flag: string): readonly string[]
  /** The params of the graph that the words name. */
  paramsOf(words: readonly string[]): readonly string[]
}

const nobody: About = { ownersOf: () => [], paramsOf: () => [] }

/** Reads `--flag value`, `--flag=value` and plain words; all words after `--` are plain. */
export function readArguments(
  verb: string,
  words: readonly string[],
  flags: Readonly<Record<string, Flag>>,
  { ownersOf, paramsOf }: About = nobody,
): Arguments {
  const values = new Map<string, string[]>()
  const positional: string[] = []
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      positional.push(...rest)
      break
    }
    if (!word.startsWith('-') || word === '-') {
      positional.push(word)
      continue
    }
    const [, name = '', inline] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? []
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (!flag) {
      const params = 'set' in flags ? paramsOf(words) : []
      throw unknownFlag(verb, word, inline ?? rest[0], { flags, owners: ownersOf(name), params })
    }
    if (!flag.value && inline !== undefined)
      throw new UsageError(`--${name}: takes no value, found "${inline}"`)
    const value = flag.value ? (inline ?? rest.shift()) : ''
    if (value === undefined) throw new UsageError(`--${name}: must be followed by ${flag.value}`)
    if (flag.choices && !flag.choices.includes(value)) {
      throw new UsageError(`--${name}: must be one of ${flag.choices.join(', ')}, found "${value}"`)
    }
    const earlier = values.get(name) ?? []
    if (earlier.length > 0 && !flag.many) throw new UsageError(`--${name}: must be given once`)
    values.set(name, [...earlier, value])
  }
  return { positional, all: flag => values.get(flag) ?? [], last: flag => values.get(flag)?.at(-1) }
}

function unknownFlag(
  verb: string,
  word: string,
  value: string | undefined,
  {
    flags,
    owners,
    params,
  }: { flags: Readonly<Record<string, Flag>>; owners: readonly string[]; params: readonly string[] },
): UsageError {
  const name = word.replace(/^--?/, '').replace(/=[\s\S]*/, '')
  const rule = `must be a flag of "flow ${verb}"`
  const setting = (param: string) =>
    `write --set ${param}=${value === undefined || value.startsWith('-') ? 'VALUE' : value}`
  const meant = flagFor(name)
  const isTaken = meant !== undefined && flagOf(meant) in flags && !params.includes(name)
  if (owners.length > 0) {
    const found = `--${name}: ${rule}, found one of ${owners.map(owner => `"flow ${owner}"`).join(', ')}`
    if (params.includes(name)) return new UsageError(found, setting(name))
    if (isTaken) return new UsageError(found, `write ${meant}`)
    return new UsageError(found, `leave it out here; "flow help ${verb}" says what it takes`)
  }
  if (params.includes(name)) return new UsageError(`--${name}: ${rule}`, setting(name))
  if (isTaken) return new UsageError(`${word}: ${rule}`, `write ${meant}`)
  const near = hint(name, Object.keys(flags))
  if (near.startsWith(' (nearest')) return new UsageError(`${word}: ${rule}${near}`)
  const param = word.startsWith('--') ? (paramFor(name, params) ?? nearest(name, params)) : undefined
  if (param !== undefined)
    return new UsageError(`--${name}: ${rule} (nearest param "${param}")`, setting(param))
  if (!('set' in flags)) return new UsageError(`${word}: ${rule}${near}`)
  return new UsageError(
    `${word}: ${rule}${near}`,
    `"flow help ${verb} GRAPH" lists its flags, and the params of a graph, which --set takes`,
  )
}

/** The name of a flag as a command has it: `--out DIR`. */
const flagOf = (written: string): string => /^--([\w-]+)/.exec(written)?.[1] ?? ''

/** The nearest names in brackets with a space before, or nothing. */
export function hint(name: string, known: readonly string[]): string {
  const text = nearestHint(name, known)
  return text && ` (${text})`
}

/** The one word that a verb needs. */
export function onlyWord({ positional, all }: Arguments, what: string): string {
  const [word, ...more] = positional
  if (word !== undefined && more.length === 0) return word
  const found = positional.length === 0 ? 'nothing' : positional.join(' ')
  const setting = more.find(each => each.includes('='))
  const bare = all('set').find(each => !each.includes('='))
  const advice =
    bare !== undefined && more[0] !== undefined
      ? `write --set ${bare}=${more[0]}`
      : setting !== undefined
        ? `write --set ${setting}`
        : undefined
  throw new UsageError(`must name one ${what}, found ${found}`, advice)
}
