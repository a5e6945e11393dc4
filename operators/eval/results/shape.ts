// The shapes of files in a folder of results: the folder may come from elsewhere.
import { isObject } from '../../../engine/shared/json.ts'

type Check = (value: unknown) => boolean

/** What each field of an object must be. */
export type Shape<Name extends string> = Readonly<Record<Name, Check>>

export const isText: Check = value => typeof value === 'string'
export const isNumber: Check = value => Number.isFinite(value)
export const isCount: Check = value => Number.isSafeInteger(value) && Number(value) >= 0
export const orNull =
  (isRight: Check): Check =>
  value =>
    value === null || isRight(value)
export const orAbsent =
  (isRight: Check): Check =>
  value =>
    value === undefined || isRight(value)
export const listOf =
  (isRight: Check): Check =>
  value =>
    Array.isArray(value) && value.every(isRight)
export const tableOf =
  (isRight: Check): Check =>
  value =>
    isObject(value) && Object.values(value).every(isRight)
export const objectOf =
  (shape: Shape<string>): Check =>
  value =>
    isObject(value) && faultIn(value, shape) === undefined

/** The first field that is not as it must be, and what it is; undefined when all are. */
export function faultIn(value: Readonly<Record<string, unknown>>, shape: Shape<string>): string | undefined {
  const wrong = Object.entries(shape).find(([name, isRight]) => !isRight(value[name]))
  return wrong && `${wrong[0]} is ${JSON.stringify(value[wrong[0]] ?? null)?.slice(0, 200)}`
}
