// Models and data of the package, as paths that begin with `builtin:`. A graph makes each of these when it is first needed:
// `builtin:shapes` (a small model and data set), `builtin:questions` (the questions of the demonstration with their clips) and
// `builtin:few-questions` (fewer of them, for `npm start`).
// The package contains `builtin:cold-start` (the model that the demonstration's GRPO starts from), `builtin:tokenizer`
// (the tokenizer of these models) and `builtin:configurations` (config.json files of models).

import { nearest } from '../engine/graph/did-you-mean.ts'
import { createHash } from '../engine/platform/digests.ts'
import { existsSync, mkdtemp, readdirSync, readFileSync, rename, rm } from '../engine/platform/files.ts'
import { dirname, join } from '../engine/platform/paths.ts'
import { processes } from '../engine/platform/processes.ts'
import { CodedError } from '../engine/shared/errors.ts'
import { makeFolder } from '../engine/shared/files.ts'
import { packageFolder } from '../engine/shared/package-folder.ts'
import { cachedPath, hubIdOf, repositoryFolder } from './hub/hub-cache.ts'
import { HubError } from './hub/hub-error.ts'
import type { HubKind } from './hub/hub-id.ts'

/** How to make built-in data: the graph file, its params, and where the run may write. */
export interface BuiltinRecipe {
  graph: string
  params: { out: string }
  runDirectory: string
}

const prefix = 'builtin:'

/** The graphs that make built-in data, by name. */
const recipes = {
  shapes: 'graphs/demo/shapes.json',
  questions: 'graphs/demo/questions.json',
  'few-questions': 'graphs/demo/few-questions.json',
} as const

/** Folders in the package, by name. */
const shipped = {
  'cold-start': 'operators/shapes/cold-start',
  tokenizer: 'operators/shapes',
  configurations: 'operators/model/configurations',
} as const

/** A name whose data a graph makes when it is first needed. */
export type MadeBuiltin = keyof typeof recipes

/** The names that `ensureBuiltin` makes, with their paths: `builtin:shapes`, `builtin:questions`. */
export const madeBuiltins = Object.keys(recipes).map(name => ({
  name: name as MadeBuiltin, // the keys of recipes, whose type Object.keys does not keep
  path: `${prefix}${name}`,
}))

/** True when `builtin:NAME` can be used. */
export const hasBuiltin = (name: MadeBuiltin): boolean => existsSync(madeFolder(name))

/**
 * Makes `builtin:NAME` if it is missing: `run` runs the recipe's graph. The folder gets its name only when the data is
 * complete, so the output of an interrupted run is never used.
 */
export async function ensureBuiltin(
  name: MadeBuiltin,
  run: (recipe: BuiltinRecipe) => Promise<void>,
): Promise<void> {
  const folder = madeFolder(name)
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  const partial = await mkdtemp(`${folder}.part-`)
  const out = join(partial, 'data')
  try {
    await run({ graph: graphOf(name), params: { out }, runDirectory: join(partial, 'run') })
    await rename(out, folder).catch((cause: unknown) => {
      // Another process was faster and made the same data.
      if (!existsSync(folder)) throw cause
    })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/**
 * The path on disk of a path in a config: `builtin:NAME`, a path inside it, what a Hugging Face id names in the cache, or the
 * path itself. Throws `unknown-builtin`, and `no-builtin` or `hub-missing` if it must be made or downloaded first.
 */
export function resolvePath(path: string, kind: HubKind = 'data'): string {
  if (!path.startsWith(prefix)) return resolveHubId(path, kind)
  const [name = '', ...rest] = path.slice(prefix.length).split('/')
  if (isKeyOf(shipped, name)) return within(join(packageFolder, shipped[name]), name, rest)
  if (!isKeyOf(recipes, name)) {
    const names = [...Object.keys(recipes), ...Object.keys(shipped)].map(each => prefix + each)
    const near = nearest(prefix + name, names)
    const hint = near === undefined ? '' : ` (nearest "${near}")`
    throw new BuiltinError('unknown-builtin', `${path}: must begin with one of ${names.join(', ')}${hint}`)
  }
  const folder = madeFolder(name)
  if (existsSync(folder)) return within(folder, name, rest)
  throw new BuiltinError(
    'no-builtin',
    `${prefix}${name}: not made yet (no ${folder}): flow run makes it by itself before it starts; to make it now: flow run ${graphOf(name)} --set out=${folder}`,
  )
}

/** A path in built-in data that is there. */
function within(folder: string, name: string, rest: readonly string[]): string {
  const path = join(folder, ...rest)
  if (rest.length === 0 || existsSync(path)) return path
  const names = readdirSync(folder).sort().join(', ')
  throw new BuiltinError(
    'unknown-builtin',
    `${[prefix + name, ...rest].join('/')}: must be in ${prefix}${name}, which holds ${names}`,
  )
}

function resolveHubId(path: string, kind: HubKind): string {
  const id = hubIdOf(path, kind)
  if (!id) return path
  const cached = cachedPath(id)
  if (cached !== undefined) return cached
  const where = `${path}: must be a folder or file, or in ${repositoryFolder(id)}, found neither`
  const { name, revision } = id
  const config = `https://huggingface.co/${name}/resolve/${revision}/config.json`
  const before = kind === 'model' ? `; to plan memory without it, name its config.json alone (${config})` : ''
  throw new HubError(
    'hub-missing',
    `${where}: flow run downloads what is on the Hugging Face hub before it starts${before}`,
  )
}

export class BuiltinError extends CodedError<'unknown-builtin' | 'no-builtin'> {}

const isKeyOf = <T extends object>(object: T, key: string): key is string & keyof T =>
  Object.hasOwn(object, key)

const graphOf = (name: MadeBuiltin): string => join(packageFolder, recipes[name])

/** The name contains a hash of the recipe, so data made by an older recipe is never used. */
function madeFolder(name: MadeBuiltin): string {
  const hash = createHash('sha256')
  for (const text of textsOf(graphOf(name))) hash.update(text)
  return join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 8)}`)
}

/** The text of a recipe's graph and of those that it extends. */
function textsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const { extends: base }: { extends?: string } = JSON.parse(text)
  return base === undefined ? [text] : [text, ...textsOf(join(dirname(file), base))]
}

/** Folder of everything that can be made again. */
export function cacheFolder(): string {
  if (processes.environment.FLOW_CACHE) return processes.environment.FLOW_CACHE
  // An installed package may be read-only; a checkout has its own cache.
  const installed = packageFolder.split(/[\\/]/).includes('node_modules')
  return installed ? join(processes.homeFolder, '.cache/flow') : join(packageFolder, '.cache/flow')
}
