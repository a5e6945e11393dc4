// How a model is asked: which part of it a training leaves in its checkpoint, and what another graph does otherwise.
import type { GraphPart } from '../../engine/operator.ts'
import { existsSync } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import { readJsonObject } from '../../engine/shared/json.ts'
import { replaceFile } from '../../engine/shared/replace-file.ts'
import { CheckpointError } from './files/checkpoint-error.ts'

/** How the nodes of a graph ask a model, each value once. */
export interface Asked {
  /** Frames of a clip. */
  readonly frames: readonly number[]
  /** Words after a question. */
  readonly words: readonly string[]
  /** Tokens after which an answer is cut. */
  readonly tokens: readonly number[]
}

/** The file in a checkpoint folder. */
export const askedName = 'asked.json'

/** One way in which a node asks a model. `at`: the node and its field; `setting`: what `--set` changes, with this value. */
interface Ask {
  readonly what: keyof Asked
  readonly at: string
  readonly value: unknown
  readonly setting?: (value: unknown) => string
}

/** How the nodes of a graph ask the model that a resource holds. */
export function askedIn(parts: readonly GraphPart[], resource: string): Asked {
  const asks = asksOf(parts, resource)
  const valuesOf = (what: keyof Asked) => [
    ...new Set(asks.filter(ask => ask.what === what).map(({ value }) => value)),
  ]
  return {
    frames: numbersIn(valuesOf('frames')),
    words: textsIn(valuesOf('words')),
    tokens: numbersIn(valuesOf('tokens')),
  }
}

function asksOf(parts: readonly GraphPart[], resource: string): Ask[] {
  const model = parts.find(({ kind, name }) => kind === 'resource' && name === resource)
  return model ? parts.filter(part => uses(part, model)).flatMap(asksBy) : []
}

/** A node names a resource of its own sub-graph or of one around it. */
const uses = ({ kind, scope, config }: GraphPart, model: GraphPart): boolean =>
  kind === 'node' && scope.startsWith(model.scope) && config.model === model.name.slice(model.scope.length)

function asksBy(part: GraphPart): Ask[] {
  const { name, type, config } = part
  const to = (field: string) => (value: unknown) => `${part.setting(field)}=${JSON.stringify(value)}`
  const { mode, count, counts, joint, instruction, maxNewTokens } = config
  const several = Array.isArray(counts) && counts.length > 0 ? counts : undefined
  switch (type) {
    case 'video.sample':
    case 'eval.watch':
      if (mode !== 'count') return []
      return several
        ? several.map((value: unknown) => ({
            what: 'frames',
            at: `${name}.counts`,
            value,
            setting: before => to('counts')([before]),
          }))
        : [{ what: 'frames', at: `${name}.count`, value: count, setting: to('count') }]
    case 'model.encode':
      return [{ what: 'words', at: `${name}.joint and instruction`, value: `${joint}${instruction}` }]
    case 'model.generate':
    case 'model.answer':
    case 'eval.answer':
      return [
        { what: 'tokens', at: `${name}.maxNewTokens`, value: maxNewTokens, setting: to('maxNewTokens') },
      ]
    default:
      return []
  }
}

const numbersIn = (values: readonly unknown[]): number[] =>
  values.filter(value => typeof value === 'number').sort((a, b) => a - b)

const textsIn = (values: readonly unknown[]): string[] => values.filter(value => typeof value === 'string')

/** Leaves in a checkpoint folder how its training asked it. */
export const writeAsked = (folder: string, asked: Asked): void =>
  replaceFile(join(folder, askedName), `${JSON.stringify(asked, undefined, 2)}\n`)

/** How the training of a checkpoint asked it; undefined where its folder does not say. */
export function readAsked(folder: string): Asked | undefined {
  const path = join(folder, askedName)
  if (!existsSync(path)) return undefined
  const { frames, words, tokens } = readJsonObject(path)
  if (Array.isArray(frames) && Array.isArray(words) && Array.isArray(tokens))
    return { frames: numbersIn(frames), words: textsIn(words), tokens: numbersIn(tokens) }
  const message = `${path}: must hold lists named frames, words and tokens; delete it if flow did not write it`
  throw new CheckpointError({ code: 'bad-config', message })
}

/** Settings of flow's own graphs, such as `frames=8`, that ask the model of a checkpoint folder as its training did. */
export function settingsAsTrained(folder: string): string[] {
  const { frames: [frames] = [], tokens: [maxNewTokens] = [] } = readAsked(folder) ?? {}
  return Object.entries({ frames, maxNewTokens }).flatMap(([param, value]) =>
    value === undefined ? [] : [`${param}=${value}`],
  )
}

/** What a graph does otherwise than the training of its model, as one sentence; undefined if nothing. */
export function askedOtherwise(
  trained: Asked,
  parts: readonly GraphPart[],
  resource: string,
): string | undefined {
  const [fewest = 0] = trained.tokens
  const differences = asksOf(parts, resource).flatMap(({ what, at, value, setting }) => {
    const before: readonly unknown[] = trained[what]
    const isOther = what === 'tokens' ? Number(value) < fewest : !before.includes(value)
    if (before.length === 0 || !isOther) return []
    const remedy = setting === undefined ? '' : ` (--set ${setting(before[0])})`
    const now = `${names[what]} ${JSON.stringify(value)}, set by ${at}`
    return [`${now}, where training had ${said(before)}${remedy}`]
  })
  if (differences.length === 0) return undefined
  return `it is asked otherwise than in its training (as its ${askedName} says): ${differences.join('; ')}`
}

const names = {
  frames: 'frames of a clip',
  words: 'words after a question',
  tokens: 'most tokens of an answer',
} as const satisfies Readonly<Record<keyof Asked, string>>

const said = (values: readonly unknown[]): string => values.map(value => JSON.stringify(value)).join(' and ')
