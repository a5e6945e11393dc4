import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../../engine/shared/errors.ts'
import { makeFolder, refuseUnlessFile } from '../../../engine/shared/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { createFile } from '../../../engine/shared/replace-file.ts'
import { fileName } from './store.ts'

export interface Claims {
  /** Whether this claimant may work on the clip: nobody else has it, or who had it is gone. */
  take(clip: string): boolean
}

/**
 * Keeps processes that share a folder from doing the same work. Only a saving: results are committed once, whichever
 * process works. A claim ends when its process is gone, on another machine after `seconds`.
 */
export function openClaims(folder: string, seconds: number): Claims {
  const token = randomUUID()
  const own = JSON.stringify({ host: hostname(), pid: process.pid, token })
  return {
    take(clip) {
      makeFolder(join(folder, 'claims'))
      const path = join(folder, 'claims', fileName(clip))
      if (createFile(path, own)) return true
      if (holderOf(path) === own) return true
      if (isHeld(path, seconds)) return false
      rmSync(path, { force: true })
      return createFile(path, own)
    },
  }
}

function isHeld(path: string, seconds: number): boolean {
  const age = (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)) / 1000
  if (age > seconds) return false
  const { host, pid } = parsed(holderOf(path))
  if (host !== hostname() || typeof pid !== 'number') return typeof host === 'string'
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Nothing for a claim that a power cut or a full disk has emptied: then nobody holds it. */
function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function holderOf(path: string): string {
  refuseUnlessFile(path)
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // another process has just removed it
  }
}
