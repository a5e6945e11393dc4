import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hubHome } from './hub-cache.ts'

/** The token that may read private repositories: `HF_TOKEN`, or the file that `hf auth login` writes. */
export function readToken(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const stated = environment.HF_TOKEN?.trim()
  if (stated) return stated
  const file = environment.HF_TOKEN_PATH ?? join(hubHome(environment), 'token')
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined
}
