import { isObject } from '../../../engine/shared/json.ts'
import type { CheckpointErrorCode, CheckpointProblem } from '../files/checkpoint-error.ts'

/** Reads an object's keys one by one; for a wrong value it adds to `problems` and returns a valid one. */
export interface ConfigFields {
  has(key: string): boolean
  isNull(key: string): boolean
  integer(key: string, rule: NumberRule): number
  number(key: string, rule: NumberRule): number
  boolean(key: string, fallback: boolean): boolean
  text(key: string, fallback: string): string
  oneOf<const T extends string | number | boolean>(key: string, allowed: readonly T[], fallback: T): T
  /** Requires that a key whose effect is not implemented is absent, null or one of these values. */
  only(key: string, ...allowed: readonly unknown[]): void
  object(key: string): ConfigFields
  raw(key: string): unknown
  problem(key: string, message: string, code?: CheckpointErrorCode): void
}

export interface NumberRule {
  minimum: number
  /** Default: `largest`. A size beyond any model must not decide how much is allocated. */
  maximum?: number
  /** Without it the key is required. */
  fallback?: number
}

export function configFields(where: string, value: unknown, problems: CheckpointProblem[]): ConfigFields {
  const record = isObject(value) ? value : {}
  const report = (key: string, message: string, code: CheckpointErrorCode = 'bad-config') => {
    problems.push({ code, message: `${where}${key}: ${message}` })
  }
  // Null is how Python's None is written: the same as absent.
  const raw = (key: string): unknown => record[key] ?? undefined
  const numeric = (
    key: string,
    { minimum, maximum = largest, fallback }: NumberRule,
    kind: string,
    fits: (n: number) => boolean,
  ) => {
    const found = raw(key) ?? fallback
    if (typeof found === 'number' && fits(found) && found >= minimum && found <= maximum) return found
    const limits = typeof found === 'number' && found > maximum ? `at most ${maximum}` : `at least ${minimum}`
    report(key, `must be ${kind} of ${limits}, got ${shown(found)}`)
    return minimum
  }
  return {
    raw,
    has: key => raw(key) !== undefined,
    isNull: key => record[key] === null,
    integer: (key, rule) => numeric(key, rule, 'an integer', Number.isSafeInteger),
    number: (key, rule) => numeric(key, rule, 'a number', Number.isFinite),
    boolean(key, fallback) {
      const found = raw(key) ?? fallback
      if (typeof found === 'boolean') return found
      report(key, `must be true or false, got ${shown(found)}`)
      return fallback
    },
    text(key, fallback) {
      const found = raw(key) ?? fallback
      if (typeof found === 'string') return found
      report(key, `must be text, got ${shown(found)}`)
      return fallback
    },
    oneOf(key, allowed, fallback) {
      const found = raw(key) ?? fallback
      const match = allowed.find(value => value === found)
      if (match !== undefined) return match
      report(key, `${shown(found)} is not supported; supported: ${allowed.join(', ')}`, 'unsupported-model')
      return fallback
    },
    only(key, ...allowed) {
      const found = raw(key)
      if (found === undefined || allowed.includes(found)) return
      const choices = ['absent', ...allowed.map(shown)].join(' or ')
      report(key, `${shown(found)} is not supported; it must be ${choices}`, 'unsupported-model')
    },
    object(key) {
      const found = raw(key) ?? {}
      if (!isObject(found)) report(key, `must be an object, got ${shown(found)}`)
      return configFields(`${where}${key}.`, found, problems)
    },
    problem: report,
  }
}

const largest = 2 ** 24

export const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))
