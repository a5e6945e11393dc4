import { readFile, stat } from '../../../engine/platform/files.ts'
import { messageOf, reasonOf } from '../../../engine/shared/errors.ts'
import { notAFile } from '../../../engine/shared/files.ts'
import { withoutMark } from '../../../engine/shared/json.ts'
import { CheckpointError } from './checkpoint-error.ts'

/** Largest JSON file that is read: ten times the largest tokenizers. */
const mostBytes = 200 * 2 ** 20

/** A JSON file's value; a missing or malformed file is a `CheckpointError` with its path. */
export async function readJsonFile(path: string): Promise<unknown> {
  const failed = (cause: unknown) => {
    throw new CheckpointError(fileProblem(path, cause))
  }
  const fault = notAFile(path)
  if (fault !== undefined) throw new CheckpointError({ code: 'unreadable-file', message: fault })
  const { size } = await stat(path).catch(failed)
  if (size > mostBytes)
    throw new CheckpointError({
      code: 'bad-json',
      message: `${path}: must hold at most ${mostBytes} bytes, has ${size}`,
    })
  const text = await readFile(path, 'utf8').catch(failed)
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
    : ({ code: 'unreadable-file', message: `${path}: cannot be read: ${reasonOf(cause)}` } as const)
}

const isMissing = (cause: unknown) =>
  cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
