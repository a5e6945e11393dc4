import { writeFile } from '../../../engine/platform/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { CheckpointError } from './checkpoint-error.ts'
import { readJsonFile } from './json-file.ts'

/** Writes one number of a checkpoint as JSON. */
export const writeNumber = (path: string, name: string, value: number): Promise<void> =>
  writeFile(path, `${JSON.stringify({ [name]: value })}\n`)

export async function readNumber(path: string, name: string): Promise<number> {
  const state = await readJsonFile(path)
  const value = isObject(state) ? state[name] : undefined
  if (typeof value === 'number') return value
  throw new CheckpointError({ code: 'bad-config', message: `${path}: ${name} must be a number` })
}
