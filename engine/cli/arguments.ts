import { nearestHint } from '../graph/did-you-mean.ts'
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

/**
 * Reads `--flag value`, `--flag=value` and plain words; all words after `--` are plain. `ownersOf` names the other verbs that take a
 * flag.
 */
export function readArguments(
  verb: string,
  words: readonly string[],
  flags: Readonly<Record<string, Flag>>,
  ownersOf: (flag: string) => readonly string[] = () => [],
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
    if (!flag) throw unknownFlag(verb, word, inline ?? rest[0], { flags, owners: ownersOf(name) })
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

/** Settings that `flow run` takes as flags, by the param that they set. */
const asParam: readonly string[] = ['shard', 'steps']

function unknownFlag(
  verb: string,
  word: string,
  value: string | undefined,
  { flags, owners }: { flags: Readonly<Record<string, Flag>>; owners: readonly string[] },
): UsageError {
  const name = word.replace(/^--?/, '').replace(/=[\s\S]*/, '')
  const rule = `must be a flag of "flow ${verb}"`
  const setting = `--set ${name}=${value === undefined || value.startsWith('-') ? 'VALUE' : value}`
  if (owners.length > 0) {
    const found = `--${name}: ${rule}, found one of ${owners.map(owner => `"flow ${owner}"`).join(', ')}`
    if ('set' in flags && asParam.includes(name)) return new UsageError(found, `write ${setting}`)
    return new UsageError(found, `leave it out here; "flow help ${verb}" says what it takes`)
  }
  const near = hint(name, Object.keys(flags))
  const isNear = near.startsWith(' (nearest')
  if ('set' in flags && !isNear && word.startsWith('--'))
    return new UsageError(
      `--${name}: ${rule}`,
      `write ${setting} if it is a param of the graph; "flow help ${verb}" says what it takes`,
    )
  return new UsageError(`${word}: ${rule}${near}`)
}

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
