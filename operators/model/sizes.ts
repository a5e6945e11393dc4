import type { MemoryUse, Sizes } from '../../engine/operator.ts'
import { readFileSync, statSync } from '../../engine/platform/files.ts'
import { dirname, join } from '../../engine/platform/paths.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { withoutMark } from '../../engine/shared/json.ts'
import type { Sampling } from '../../kernels/networks/generation/token-drawing.ts'
import {
  type DevicelessModel,
  devicelessModel,
  type Extent,
  generationBytes,
  passBytes,
  slotBytes,
  visionBytes,
} from '../../kernels/networks/memory-estimate.ts'
import type { IntegersOf } from '../../kernels/networks/parameters.ts'
import type { Precision } from '../../kernels/plan/recording.ts'
import { resolvePath } from '../builtin.ts'
import { templates } from '../text/template.ts'
import { architectures } from './architectures/index.ts'
import { type NewAdapter, targetsAmong } from './checkpoint/adapter.ts'
import { parseModelConfig } from './checkpoint/config.ts'
import { isTrainedBy, shapeOf, type TrainedPart } from './checkpoint/load-model.ts'
import { refuseWithoutParts } from './checkpoint/own-parts.ts'
import { isPacked } from './checkpoint/packing.ts'
import { refuseOther } from './checkpoint/refuse-other.ts'
import { expectedTensors } from './checkpoint/tensor-names.ts'
import { connectors, languages, towers } from './parts/index.ts'

/** Tokens of text that estimates assume in a prompt or a conversation beside the words of frames; they do not read the data. */
export const assumedTokens = 256

/** What decides the memory of a model. */
export interface OutlineOptions {
  path: string
  train: readonly TrainedPart[]
  precision: Precision
  adapter?: Pick<NewAdapter, 'rank' | 'targets'> | undefined
  integersOf?: IntegersOf | undefined
}

/** The model of a checkpoint folder, from its `config.json` alone, or from such a file. Throws when it cannot be read. */
export function outlineOf({ path, train, precision, adapter, integersOf }: OutlineOptions): DevicelessModel {
  const place = resolvePath(path, 'model')
  const isFile = place.endsWith('.json') && statSync(place, { throwIfNoEntry: false })?.isFile() === true
  if (!isFile) refuseOther(place)
  const file = isFile ? place : join(place, 'config.json')
  refuseUnlessFile(file)
  refuseWithoutParts(dirname(file), { architectures, connectors, languages, towers })
  const config = parseModelConfig(file, JSON.parse(withoutMark(readFileSync(file, 'utf8'))), {
    eosId: 0,
    idOf: () => undefined,
  })
  const weights = expectedTensors(config)
  const tensors = new Map([...weights].map(([name, shape]) => [name, { shape }]))
  const attached = adapter && {
    targets: targetsAmong({ tensors }, adapter.targets),
    rank: adapter.rank,
    scale: 1,
    trained: true,
  }
  const { maxLength } = config
  const trained = isTrainedBy(train)
  return devicelessModel({
    shape: shapeOf(config),
    weights,
    trained,
    precision,
    maxLength,
    frameWords: templates[config.template].frameWords,
    adapter: attached,
    integersOf: (name, shape) => {
      const { integers } = config
      return integers && isPacked(name, shape, integers) ? integers : integersOf?.(name, shape)
    },
  })
}

/** Extents that ports name, and the number of trained weights; where frames keep their shape, those of the assumed size. */
export const modelSizes = ({ shape: { vision }, gradientBytes }: DevicelessModel): Sizes => ({
  imageSize: vision.imageSize,
  frameTokens: vision.frameTokens / (vision.grid?.step ?? 1),
  visionHidden: vision.hidden,
  trained: gradientBytes / 4,
})

/** Weights, and gradients of the trained parts; `note` says what the products are planned in. */
export function weightsMemory({ weightBytes, gradientBytes }: DevicelessModel, note: string): MemoryUse[] {
  return [
    { what: `weights; ${note}`, bytes: weightBytes },
    ...(gradientBytes > 0 ? [{ what: 'gradients', bytes: gradientBytes }] : []),
  ]
}

/** The vision tower over the frames of one clip. */
export function visionMemory(model: DevicelessModel, frames: number | undefined): MemoryUse[] {
  const bytes = visionBytes(model, known(frames, 'frames'))
  return [{ what: 'activations of the vision tower', bytes, kept: true }]
}

/** Generation of completions for `slots` prompts at once. */
export function generateMemory(
  model: DevicelessModel,
  about: GroupExtent,
  sampling: Sampling,
  slots: number,
): MemoryUse[] {
  const extent = { ...extentOf(about), sequences: slots }
  const { total, cache } = (slots > 1 ? slotBytes : generationBytes)(model, extent, sampling)
  return [
    { what: 'KV cache', bytes: cache, knob: slots > 1 ? 'slots' : 'maxNewTokens' },
    { what: `${generationRest} of ${assumed}`, bytes: total - cache, knob: 'count' },
  ]
}

/** Generation of one answer to each question of a list as one batch, or of `slots` answers at a time. */
export function answerMemory(
  model: DevicelessModel,
  {
    questions,
    frames,
    length,
  }: { questions: number | undefined; frames: number | undefined; length: number },
  sampling: Sampling,
  slots: number,
): MemoryUse[] {
  const extent = extentOf({ frames, count: 1, length })
  const sequences = slots > 0 ? slots : known(questions, 'questions in a list')
  const bytesOf = slots > 0 ? slotBytes : generationBytes
  const { total, cache } = bytesOf(model, { ...extent, sequences }, sampling)
  return [
    { what: 'KV cache', bytes: cache, knob: 'maxNewTokens' },
    { what: `${generationRest} of ${assumed} each`, bytes: total - cache },
  ]
}

/** A forward pass that keeps activations for its backward pass, over a prompt with its completions. */
export function trainMemory(model: DevicelessModel, about: GroupExtent): MemoryUse[] {
  return [
    { what: `activations, with ${assumed}`, bytes: passBytes(model, extentOf(about), true), kept: true },
  ]
}

/** A forward pass over the same that only computes log-probabilities. */
export function scoreMemory(model: DevicelessModel, about: GroupExtent, whose: string): MemoryUse[] {
  const bytes = passBytes(model, extentOf(about), false)
  return [{ what: `log-probabilities of the ${whose}`, bytes, kept: true }]
}

/** The same over the conversations of supervised training. */
export function learnMemory(
  model: DevicelessModel,
  examples: number,
  frames: number | undefined,
): MemoryUse[] {
  const extent = { sequences: examples, frames: known(frames, 'frames'), completions: 1 }
  const bytes = passBytes(model, { ...extent, textTokens: 1, length: assumedTokens }, true)
  return [
    { what: `activations, ${assumedTokens} tokens of text an example`, bytes, knob: 'batchSize', kept: true },
  ]
}

/** Copies are the matrices in tiles of float16, where steps read those. */
const generationRest = 'logits, copies of weights, prefill'
const assumed = `${assumedTokens} tokens of text`

/** Completions of one prompt, from the shapes of ports; undefined where the graph does not decide. */
export interface GroupExtent {
  frames: number | undefined
  count: number | undefined
  length: number | undefined
}

const extentOf = ({ frames, count, length }: GroupExtent): Extent => ({
  sequences: 1,
  textTokens: assumedTokens,
  frames: known(frames, 'frames'),
  completions: known(count, 'completions'),
  length: known(length, 'tokens'),
})

/** Throws if the graph does not decide the size: the estimate is then left out, with this message. */
function known(size: number | undefined, what: string): number {
  if (size === undefined) throw new Error(`the graph does not decide the number of ${what}`)
  return size
}
