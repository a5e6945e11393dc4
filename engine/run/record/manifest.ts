import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Plan } from '../../graph/plan.ts'

const run = promisify(execFile)
const gitDeadlineMs = 5000

/** What has to be known to understand or repeat a run: graph, seed, versions, state of the code. */
export async function describeRun(plan: Plan, seed: number, started: Date): Promise<Record<string, unknown>> {
  return {
    version: 1,
    graph: plan.file,
    summary: plan.summary,
    params: plan.params,
    seed,
    started: started.toISOString(),
    versions: versions(),
    platform: `${process.platform} ${process.arch}`,
    git: await gitOnce(),
    resolved: plan.shown,
  }
}

function versions(): Record<string, string> {
  const found: Record<string, string> = { node: process.versions.node }
  const own = above(dirname(fileURLToPath(import.meta.url)), 'package.json')
  if (own === undefined) return found
  const { name, version, dependencies } = readPackage(own)
  if (name !== undefined && version !== undefined) found[name] = version
  for (const dependency of Object.keys(dependencies ?? {})) {
    const path = above(dirname(own), join('node_modules', dependency, 'package.json'))
    const installed = path === undefined ? undefined : readPackage(path).version
    if (installed !== undefined) found[dependency] = installed
  }
  return found
}

interface Package {
  name?: string
  version?: string
  dependencies?: Record<string, string>
}

// npm has read the same files before: they are what they claim to be
const readPackage = (path: string): Package => JSON.parse(readFileSync(path, 'utf8')) as Package

/** The file in this folder or the nearest one above it. */
function above(folder: string, file: string): string | undefined {
  const path = join(folder, file)
  if (existsSync(path)) return path
  return dirname(folder) === folder ? undefined : above(dirname(folder), file)
}

let foundGit: ReturnType<typeof gitState> | undefined

/** The code of a process is that of its start: several runs in it ask once. */
function gitOnce(): ReturnType<typeof gitState> {
  foundGit ??= gitState()
  return foundGit
}

/** Commit and whether files differ from it; null outside a git tree. */
async function gitState(): Promise<{ commit: string; changed: boolean } | null> {
  const git = async (...args: string[]) => (await run('git', args, { timeout: gitDeadlineMs })).stdout.trim()
  try {
    return { commit: await git('rev-parse', 'HEAD'), changed: (await git('status', '--porcelain')) !== '' }
  } catch {
    return null
  }
}
