import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context, GraphPart } from '../../engine/operator.ts'
import { readJsonObject } from '../../engine/shared/json.ts'
import { packageFolder } from '../../engine/shared/package-folder.ts'
import { resolvePath } from '../builtin.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { drawingFields } from '../model/drawing-fields.ts'
import { digestOf } from '../question-digests.ts'
import { contentDigest } from './results/file-digests.ts'
import { type Recipe, scoringPrefix } from './results/recipe-fields.ts'

/** Of each operator of an evaluation, the config fields that decide its results. */
const deciding: Readonly<Record<string, readonly string[]>> = {
  'eval.watch': ['count', 'mode', 'maxFrames', 'aspect', 'profile', 'folderFramesPerSecond'],
  'eval.encode': ['template', 'visual'],
  'eval.answer': ['maxNewTokens', 'decoding', ...Object.keys(drawingFields)],
  'eval.constant': ['output'],
  'eval.oracle': ['form'],
  'eval.score': ['scorer'],
  'eval.record': [],
  'stream.batch': [],
}

/**
 * The recipe of the evaluation that follows a node: the stated fields, and what the graph and the files in it decide. Of
 * an operator from elsewhere its whole config counts, as a digest, for it may hold a secret.
 */
export async function recipeOf(stated: Recipe, context: Context): Promise<Recipe> {
  const nodes = nodesAfter(context.node, context.parts)
  const settings = nodes.flatMap(({ type, scope, name, config }): [string, unknown][] => {
    const own = type === 'eval.score' ? scoringPrefix : `${name.slice(scope.length)}.`
    const fields = Object.hasOwn(deciding, type) ? deciding[type] : undefined
    if (!fields) return [[`${own}config`, `${type} ${digestOf(config)}`]]
    return fields.map(field => [own + field, config[field]])
  })
  const resources: [string, unknown][] = []
  for (const part of context.parts.filter(one => isUsed(one, nodes))) {
    const name = part.name.slice(part.scope.length)
    if (part.type === 'model')
      for (const [field, value] of await modelFields(part, context.resource<LoadedModel>(name)))
        resources.push([name === 'model' ? field : `${name}.${field}`, value])
    else if (part.type !== 'feature-cache') resources.push([name, `${part.type} ${digestOf(part.config)}`])
  }
  const rest = { ...Object.fromEntries(settings), ...Object.fromEntries(resources) }
  return { ...stated, seed: context.seed, flow: flowVersion(), ...rest }
}

/** The fields of the recipe that say how the graph scores answers. */
export const scoringOf = (parts: readonly GraphPart[]): Recipe =>
  Object.fromEntries(
    parts
      .filter(({ type }) => type === 'eval.score')
      .map(({ config }) => [`${scoringPrefix}scorer`, config.scorer]),
  )

/** The nodes that items of a node reach. */
export function nodesAfter(name: string, parts: readonly GraphPart[]): GraphPart[] {
  const reached = new Set([name])
  for (let size = 0; size < reached.size; ) {
    size = reached.size
    for (const part of parts)
      if (part.from.some(end => reached.has(end.slice(0, end.lastIndexOf('.'))))) reached.add(part.name)
  }
  return parts.filter(part => part.name !== name && part.kind === 'node' && reached.has(part.name))
}

/** Whether the answers of these nodes may depend on the true ones: an oracle's do, and nobody knows about a plugin's. */
export const seesGold = (nodes: readonly GraphPart[]): boolean =>
  nodes.some(({ type }) => type === 'eval.oracle' || !Object.hasOwn(deciding, type))

const isUsed = ({ kind, name, scope }: GraphPart, nodes: readonly GraphPart[]): boolean =>
  kind === 'resource' &&
  nodes.some(
    node =>
      node.scope.startsWith(scope) &&
      Object.values(node.config).some(value => value === name.slice(scope.length)),
  )

async function modelFields({ config }: GraphPart, model: LoadedModel): Promise<[string, unknown][]> {
  const { path, adapter = '', recompute: _, precision: __, ...rest } = config
  const folder = resolvePath(String(path))
  const names = await readdir(folder)
  const digest = (pattern: RegExp) =>
    contentDigest(
      folder,
      names.filter(name => pattern.test(name)),
    )
  return [
    ['weights', await digest(/^[^.].*\.safetensors(\.index\.json)?$/)],
    ['configuration', await digest(/^(config|generation_config|preprocessor_config)\.json$/)],
    [
      'tokenizer',
      await digest(/^(tokenizer(_config)?|vocab|added_tokens|special_tokens_map)\.json$|^merges\.txt$/),
    ],
    ['precision', model.precision],
    ...(adapter === ''
      ? []
      : [['adapter', await digestOfFolder(resolvePath(String(adapter)))] as [string, string]]),
    ...(isTrained(rest) ? [['training', digestOf(rest)] as [string, string]] : []),
  ]
}

const isTrained = ({ train }: Readonly<Record<string, unknown>>): boolean =>
  Array.isArray(train) && train.length > 0

const digestOfFolder = async (folder: string): Promise<string> =>
  contentDigest(
    folder,
    (await readdir(folder)).filter(name => /\.(safetensors|json)$/.test(name)),
  )

const flowVersion = (): string => String(readJsonObject(join(packageFolder, 'package.json')).version)
