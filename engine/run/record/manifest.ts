import type { Plan } from '../../graph/plan.ts'
import { existsSync, readFileSync } from '../../platform/files.ts'
import { dirname, join } from '../../platform/paths.ts'
import { processes } from '../../platform/processes.ts'
import { isObject } from '../../shared/json.ts'
import { packageFolder } from '../../shared/package-folder.ts'
import { RunError } from '../error.ts'

const gitDeadlineMs = 5000

/** The facts needed to understand or repeat a run: graph, seed, versions, state of the code. */
export async function describeRun(plan: Plan, seed: number, started: Date): Promise<Record<string, unknown>> {
  return {
    version: 1,
    graph: plan.file,
    summary: plan.summary,
    params: plan.params,
    seed,
    started: started.toISOString(),
    versions: versions(),
    platform: processes.system,
    git: await gitOnce(),
    resolved: plan.shown,
  }
}

function versions(): Record<string, string> {
  const versions: Record<string, string> = { ...processes.versions }
  const { version, dependencies } = readPackage(join(packageFolder, 'package.json'))
  if (version !== undefined) versions.flow = version
  for (const dependency of Object.keys(dependencies ?? {})) {
    const path = above(packageFolder, join('node_modules', dependency, 'package.json'))
    const installed = path === undefined ? undefined : readPackage(path).version
    if (installed !== undefined) versions[dependency] = installed
  }
  return versions
}

interface Package {
  version?: string
  dependencies?: Record<string, string>
}

// npm has already read these files, so they have this shape
const readPackage = (path: string): Package => JSON.parse(readFileSync(path, 'utf8')) as Package

/** The file in this folder or the nearest one above it. */
function above(folder: string, file: string): string | undefined {
  const path = join(folder, file)
  if (existsSync(path)) return path
  return dirname(folder) === folder ? undefined : above(dirname(folder), file)
}

let gitAnswer: ReturnType<typeof gitState> | undefined

/** The code of a process does not change while it runs, so git is asked once. */
function gitOnce(): ReturnType<typeof gitState> {
  gitAnswer ??= gitState()
  return gitAnswer
}

/** Commit and whether files differ from it; null outside a git tree. */
async function gitState(): Promise<{ commit: string; changed: boolean } | null> {
  const git = async (...args: string[]) => (await processes.output('git', args, gitDeadlineMs)).trim()
  try {
    return { commit: await git('rev-parse', 'HEAD'), changed: (await git('status', '--porcelain')) !== '' }
  } catch {
    return null
  }
}

/** The error when kernels of another family made the checkpoint that a run goes on from. */
export function otherFamily(before: unknown, now: unknown): RunError | undefined {
  if (!isObject(before) || !isObject(now) || before.family === undefined || before.family === now.family)
    return undefined
  const found = `kernels of the family "${before.family}" made the checkpoint, this GPU takes "${now.family}"`
  return new RunError('checkpoint-mismatch', found, { remedy: '--accept-changes goes on with them' })
}
