import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CodedError, codeOf, reasonOf } from '../../engine/shared/errors.ts'
import { hubHome } from './hub-cache.ts'

/** The token that may read private repositories: `HF_TOKEN`, or the file that `hf auth login` writes. */
export function readToken(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const stated = environment.HF_TOKEN?.trim()
  if (stated) return stated
  const file = environment.HF_TOKEN_PATH ?? join(hubHome(environment), 'token')
  if (!existsSync(file)) return undefined
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (error) {
    const variable = environment.HF_TOKEN_PATH === undefined ? '' : 'HF_TOKEN_PATH '
    throw new CodedError(
      codeOf(error) ?? 'no-token',
      `${variable}${file}: must be a file with a token of the hub: ${reasonOf(error)}`,
      { remedy: 'set HF_TOKEN to the token, or HF_TOKEN_PATH to its file' },
    )
  }
}
