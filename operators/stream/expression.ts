import jsonata from 'jsonata'
import { nearest } from '../../engine/graph/did-you-mean.ts'
import { CodedError, messageOf } from '../../engine/shared/errors.ts'
import { isObject } from '../../engine/shared/json.ts'
import { processorClock } from '../../engine/shared/work-time.ts'

export class ExpressionError extends CodedError<'bad-expression' | 'bad-row'> {
  override readonly remedy =
    this.code === 'bad-expression'
      ? 'write it as https://docs.jsonata.org says; https://try.jsonata.org tries one'
      : 'name fields that the item has; "flow tap" shows the items of a run'
}

/** A JSONata expression that is evaluated in bounded time and depth. */
export type Evaluate = (value: unknown, key: string) => Promise<unknown>

export const secondsField = {
  type: 'number',
  exclusiveMinimum: 0,
  default: 1,
  description: 'Longest time that an expression may take for one item.',
} as const

/** Calls within calls; a function that calls itself without end would fill the memory before its time is over. */
const deepest = 500
const entry = Symbol.for('jsonata.__evaluate_entry')
const exit = Symbol.for('jsonata.__evaluate_exit')

/** Compiles an expression; `name` is the field that holds it, for messages. */
export function compile(text: string, name: string, seconds: number): Evaluate {
  const parsed = parse(text, name)
  return async (value, key) => {
    const until = performance.now() + seconds * 1000
    const worked = processorClock()
    let depth = 0
    const bound = () => {
      if (++depth > deepest) throw new Error(`it goes deeper than ${deepest} calls`)
      if (performance.now() > until && worked() > seconds)
        throw new Error(`it takes longer than ${seconds} s`)
    }
    try {
      parsed.assign(entry as never, bound)
      parsed.assign(exit as never, () => depth--)
      const result = await parsed.evaluate(value)
      return plain(result)
    } catch (error) {
      const about = isObject(value) ? `; the item has ${Object.keys(value).join(', ') || 'no fields'}` : ''
      throw new ExpressionError(
        'bad-row',
        `item "${key}": ${name} ${JSON.stringify(text)}: ${reasonOf(error)}${about}`,
      )
    }
  }
}

function parse(text: string, name: string): ReturnType<typeof jsonata> {
  try {
    return jsonata(text)
  } catch (error) {
    const at = isObject(error) && typeof error.position === 'number' ? `, at character ${error.position}` : ''
    throw new ExpressionError(
      'bad-expression',
      `${name}: must be a JSONata expression, found ${JSON.stringify(text)}: ${reasonOf(error)}${at}`,
    )
  }
}

/** Of a name in an expression that is no field of the item, and like one of them, what was most likely meant; for messages. */
export function unknownNames(text: string, value: unknown): string {
  const fields = isObject(value) ? Object.keys(value) : []
  const bare = text.replaceAll(/"[^"]*"|'[^']*'/g, '')
  const names = [...bare.matchAll(/(?<![\w$.])[A-Za-z_]\w*/g)].map(([name]) => name)
  for (const name of names) {
    const meant = fields.includes(name) || keywords.has(name) ? undefined : nearest(name, fields)
    if (meant !== undefined) return `; it has no "${name}", nearest "${meant}"`
  }
  return ''
}

const keywords: ReadonlySet<string> = new Set(['and', 'or', 'in', 'true', 'false', 'null', 'function'])

/** JSONata throws plain objects. */
const reasonOf = (error: unknown): string =>
  isObject(error) && typeof error.message === 'string' ? error.message : messageOf(error)

/** JSONata marks its lists with properties of its own. */
const plain = (value: unknown): unknown => (Array.isArray(value) ? [...value] : value)
