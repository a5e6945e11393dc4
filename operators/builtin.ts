// What ships with the package: `builtin:shapes`, a small model and data set that a graph of ours makes,
// `builtin:tokenizer`, the tokenizer of that model, and `builtin:configurations`, config.json files of models.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's folder, from the sources and from dist alike. */
export const packageFolder = findPackage(dirname(fileURLToPath(import.meta.url)))

/** How the embedded data is made: the graph file, its params, and where the run may write. */
export interface BuiltinRecipe {
  graph: string
  params: { out: string }
  runDirectory: string
}

/** True when `builtin:shapes` can be used. */
export const hasBuiltin = (): boolean => existsSync(shapesFolder())

/**
 * Makes `builtin:shapes` when it is not there: `run` runs the recipe's graph. What an interrupted run has made is
 * never used: the folder appears under its name when it is whole.
 */
export async function ensureBuiltin(run: (recipe: BuiltinRecipe) => Promise<void>): Promise<void> {
  const folder = shapesFolder()
  if (existsSync(folder)) return
  await mkdir(dirname(folder), { recursive: true })
  const partial = await mkdtemp(`${folder}.part-`)
  const out = join(partial, 'data')
  try {
    await run({ graph: graphFile, params: { out }, runDirectory: join(partial, 'run') })
    await rename(out, folder).catch((cause: unknown) => {
      // Another process was faster; what it made is the same.
      if (!existsSync(folder)) throw cause
    })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/**
 * The path on disk of a path in a config: one of `builtin:shapes`, `builtin:tokenizer` and `builtin:configurations` or
 * what is in it, or the path itself.
 * Throws `unknown-builtin`, and `no-builtin` when the embedded data was not made yet.
 */
export function resolvePath(path: string): string {
  if (!path.startsWith(prefix)) return path
  const [name, ...rest] = path.slice(prefix.length).split('/')
  if (name === 'tokenizer') return join(packageFolder, 'operators/shapes', ...rest)
  if (name === 'configurations') return join(packageFolder, 'operators/model/configurations', ...rest)
  if (name !== 'shapes')
    throw new BuiltinError(
      'unknown-builtin',
      `${path}: no such thing; known: builtin:shapes, builtin:tokenizer, builtin:configurations`,
    )
  const folder = shapesFolder()
  if (existsSync(folder)) return join(folder, ...rest)
  throw new BuiltinError(
    'no-builtin',
    `${path}: not made yet (no ${folder}); make it with: flow run ${graphFile} --set out=${folder}`,
  )
}

/** `unknown-builtin`, `no-builtin`. */
export class BuiltinError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const prefix = 'builtin:'

/** The embedded data and model in paths. */
export const builtinName = `${prefix}shapes`

const graphFile = join(packageFolder, 'graphs/demo/shapes.json')

/** Another recipe gives another folder: old data is never taken for new. */
function shapesFolder(): string {
  const recipe = createHash('sha256').update(readFileSync(graphFile)).digest('hex').slice(0, 8)
  return join(cacheFolder(), `shapes-${recipe}`)
}

function cacheFolder(): string {
  if (process.env.FLOW_CACHE) return process.env.FLOW_CACHE
  // Others may own what is installed; a checkout keeps its own.
  const installed = packageFolder.split(/[\\/]/).includes('node_modules')
  return installed ? join(homedir(), '.cache/flow') : join(packageFolder, '.cache/flow')
}

function findPackage(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('operators/builtin.ts: no package.json in any folder above')
  return findPackage(parent)
}
