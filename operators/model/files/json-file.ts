import { readFile } from 'node:fs/promises'
import { messageOf } from '../../../engine/shared/errors.ts'
import { withoutMark } from '../../../engine/shared/json.ts'
import { CheckpointError } from './checkpoint-error.ts'

/** A JSON file's value; a missing or malformed file is a `CheckpointError` with its path. */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CheckpointError(fileProblem(path, cause))
  })
  try {
    return JSON.parse(withoutMark(text))
  } catch (cause) {
    throw new CheckpointError({ code: 'bad-json', message: `${path}: not JSON: ${messageOf(cause)}` })
  }
}

/** What to report when a file operation has failed. */
export function fileProblem(path: string, cause: unknown) {
  return isMissing(cause)
    ? ({ code: 'missing-file', message: `${path}: no such file` } as const)
    : ({ code: 'unreadable-file', message: `${path}: cannot be read: ${messageOf(cause)}` } as const)
}

const isMissing = (cause: unknown) =>
  cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
