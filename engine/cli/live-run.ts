import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Status } from '../run/record/status.ts'
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
    throw new UsageError(`${directory}: must be a run that has begun, found no status.json in it`)
  // the run wrote it
  return JSON.parse(readFileSync(path, 'utf8')) as Status
}
