import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Status } from '../run/record/status.ts'
import { CodedError } from '../shared/errors.ts'
import { inPlaceOf } from '../shared/files.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { type Arguments, type Flag, UsageError } from './arguments.ts'

export const waitFlag: Flag = {
  value: 'SECONDS',
  description: 'Longest time to wait for the run to begin (default 0).',
}

/** Waits for a run to begin, at most as long as `--wait` says. */
export async function waitForRun(
  directory: string,
  words: Arguments,
  complain: (line: string) => void,
): Promise<void> {
  const text = words.last('wait') ?? '0'
  const seconds = Number(text)
  if (!(seconds >= 0)) throw new UsageError(`--wait: must be a number of seconds, found "${text}"`)
  if (seconds > 0 && !existsSync(statusOf(directory))) complain(`waiting for ${directory} to begin`)
  const until = performance.now() + seconds * 1000
  while (!existsSync(statusOf(directory)) && performance.now() < until) await setTimeout(100)
}

const statusOf = (directory: string): string => join(directory, 'status.json')

/** The status of a run that has begun. */
export function readStatus(directory: string): Status {
  const path = statusOf(directory)
  if (!existsSync(path))
    throw new UsageError(
      `${directory}: must be a run that has begun, found ${inPlaceOf(directory, 'status.json')}`,
      '"flow ls" lists the runs',
    )
  const status = readJsonObject(path)
  if (isStatus(status)) return status
  throw new CodedError('torn-file', `${path}: must hold the status of a run, found other fields`)
}

function isStatus(status: Record<string, unknown>): status is Record<string, unknown> & Status {
  const { process, time, seconds, ended, nodes, edges, live, gauges, metrics } = status
  return (
    areNumbers([process, time, seconds]) &&
    typeof ended === 'boolean' &&
    areRows(nodes, ['name', 'state'], ['items', 'rate', 'workSeconds', 'working', 'blocked', 'waiting']) &&
    areRows(edges, ['name', 'from', 'to', 'end'], ['size', 'capacity', 'bytes', 'passed', 'dropped']) &&
    areRows([live], [], ['items', 'bytes', 'peakItems', 'peakBytes']) &&
    [gauges, metrics].every(table => isObject(table) && areNumbers(Object.values(table)))
  )
}

// a gauge that is not finite is null in JSON
const areNumbers = (values: readonly unknown[]): boolean =>
  values.every(value => typeof value === 'number' || value === null)

const areRows = (rows: unknown, texts: readonly string[], numbers: readonly string[]): boolean =>
  Array.isArray(rows) &&
  rows.every(
    row =>
      isObject(row) &&
      texts.every(name => typeof row[name] === 'string') &&
      numbers.every(name => typeof row[name] === 'number'),
  )
