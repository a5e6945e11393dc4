import { join } from 'node:path'
import type { Context, GraphPart } from '../../engine/operator.ts'
import { readJsonObject } from '../../engine/shared/json.ts'
import { packageFolder } from '../../engine/shared/package-folder.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { modelDigests } from '../model/digests.ts'
import { drawingFields } from '../model/drawing-fields.ts'
import { nodesAfter } from '../nodes-after.ts'
import { digestOf } from '../question-digests.ts'
import { type Recipe, scoringPrefix } from './results/recipe-fields.ts'
import { scorerOf } from './scorers.ts'

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
  'judge.none': [],
  'judge.chat': ['model', 'instruction', 'request'],
  'judge.http': ['model', 'url'],
  'judge.model': ['instruction', 'maxNewTokens', 'template'],
}

/** Addresses may hold keys: they count by their digest. */
const hidden: readonly string[] = ['url']

/** Nodes that decide what an answer counts as, and not what it is. */
const isJudge = ({ type }: GraphPart): boolean => type.startsWith('judge.')

/**
 * The recipe of the evaluation that follows a node: the stated fields, and what the graph and the files in it decide. Of
 * an operator from elsewhere its whole config counts, as a digest, for it may hold a secret. `count`: one of several numbers of
 * frames.
 */
export async function recipeOf(stated: Recipe, context: Context, count?: number): Promise<Recipe> {
  const nodes = nodesAfter(context.node, context.parts)
  const settings = nodes.flatMap(({ type, scope, name, config }): [string, unknown][] => {
    if (type === 'eval.score') return [[`${scoringPrefix}scorer`, scorerOf(config)]]
    const fields = Object.hasOwn(deciding, type) ? deciding[type] : undefined
    const own = `${name.slice(scope.length)}.`
    if (type.startsWith('judge.')) return judgeFields(type, fields, config)
    if (!fields) return [[`${own}config`, `${type} ${digestOf(config)}`]]
    return fields.map(field => [own + field, decidingValue(type, field, config, count)])
  })
  const resources: [string, unknown][] = []
  for (const part of context.parts.filter(one => isUsed(one, nodes))) {
    const name = part.name.slice(part.scope.length)
    const users = nodes.filter(node => uses(node, part))
    if (users.every(isJudge)) resources.push([`${judgePrefix}${name}`, await judgeModel(part)])
    else if (part.type === 'model')
      for (const [field, value] of await modelDigests(part.config, precisionOf(part, context)))
        resources.push([name === 'model' ? field : `${name}.${field}`, value])
    else if (part.type !== 'feature-cache') resources.push([name, `${part.type} ${digestOf(part.config)}`])
  }
  const rest = { ...Object.fromEntries(settings), ...Object.fromEntries(resources) }
  const scorer = stated.scorer === undefined ? {} : { scorer: rest[`${scoringPrefix}scorer`] }
  return { ...stated, seed: context.seed, flow: flowVersion(), ...rest, ...scorer }
}

const judgePrefix = `${scoringPrefix}judge.`

function judgeFields(
  type: string,
  fields: readonly string[] | undefined,
  config: GraphPart['config'],
): [string, unknown][] {
  if (type === 'judge.none') return []
  const stated = fields?.map((field): [string, unknown] => [
    judgePrefix + field,
    hidden.includes(field) ? digestOf(config[field]) : config[field],
  ])
  return [
    [`${scoringPrefix}judge`, type],
    ...(stated ?? [[`${judgePrefix}config`, digestOf(config)] as [string, string]]),
  ]
}

/** Its precision follows from the machine, and its verdicts hardly from that: what its files hold counts. */
const judgeModel = async ({ config }: GraphPart): Promise<string> => digestOf(await modelDigests(config, ''))

const precisionOf = ({ name, scope }: GraphPart, context: Context): string =>
  context.resource<LoadedModel>(name.slice(scope.length)).precision

/** With several numbers of frames, each has the recipe that it has alone. */
const decidingValue = (
  type: string,
  field: string,
  config: GraphPart['config'],
  count: number | undefined,
): unknown => (type === 'eval.watch' && field === 'count' && count !== undefined ? count : config[field])

/** The fields of the recipe that say how the graph scores answers. */
export const scoringOf = (parts: readonly GraphPart[]): Recipe =>
  Object.fromEntries(
    parts
      .filter(({ type }) => type === 'eval.score')
      .map(({ config }) => [`${scoringPrefix}scorer`, scorerOf(config)]),
  )

/** Whether the answers of these nodes may depend on the true ones: an oracle's do, and nobody knows about a plugin's. */
export const seesGold = (nodes: readonly GraphPart[]): boolean =>
  nodes.some(node => node.type === 'eval.oracle' || !(isJudge(node) || Object.hasOwn(deciding, node.type)))

const isUsed = (part: GraphPart, nodes: readonly GraphPart[]): boolean =>
  part.kind === 'resource' && nodes.some(node => uses(node, part))

const uses = (node: GraphPart, { name, scope }: GraphPart): boolean =>
  node.scope.startsWith(scope) && Object.values(node.config).some(value => value === name.slice(scope.length))

const flowVersion = (): string => String(readJsonObject(join(packageFolder, 'package.json')).version)
