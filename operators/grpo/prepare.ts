import type { Config, Fields } from '../../engine/operator.ts'
import { drawnSupport } from '../../kernels/networks/training/drawn-support.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import type { Completion, Group } from '../kinds.ts'
import { GroupError } from './group-error.ts'
import { logProbsOf, type Part, type TrainOptions } from './train.ts'

export const prepareFields = {
  temperature: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: 'Divides the logits before their log-probabilities are taken.',
  },
  topK: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      'Log-probabilities are over the k tokens that were most likely before the first update on a batch, and the token itself: state what the completions were drawn with. 0: over all.',
  },
  topP: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Likewise over the most likely tokens up to this probability together; 1: over all.',
  },
  minP: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0,
    description: 'Likewise over tokens at least this many times as likely as the likeliest; 0: over all.',
  },
  truncated: {
    type: 'string',
    enum: ['keep', 'mask'],
    default: 'keep',
    description: 'Whether the tokens of a completion that the length limit cut count in the loss.',
  },
  endToken: {
    type: 'string',
    enum: ['count', 'leave-out'],
    default: 'count',
    description: 'Whether the end of text that a completion wrote is one of the tokens of the loss.',
  },
} as const satisfies Fields

export type PrepareOptions = Config<typeof prepareFields> & Pick<TrainOptions, 'importance'>

/** What the updates on a group have in common; runs the reference, when there is one, over it. */
export async function prepare(
  { prompt, completions }: Group,
  policy: VideoModel,
  reference: VideoModel | null,
  options: PrepareOptions,
  endIds: readonly number[] = [],
): Promise<Part> {
  const { temperature, importance, topK, topP, minP } = options
  const ids = completions.map(completion => completion.ids)
  const sequence = { ids: prompt.ids, features: prompt.features, completions: ids }
  const batch = {
    advantages: completions.map(advantageOf),
    mask: completions.map(completion => maskOf(completion, endIds, options)),
    reference: null,
    old: null,
    sampler: importance === 'none' ? null : completions.map(logProbsOfCompletion),
  }
  const isPartial = topK > 0 || topP < 1 || minP > 0
  const support = isPartial ? await drawnSupport(policy, [sequence], options) : undefined
  const part: Part = { sequence, ...(support && { support }), batch }
  return reference
    ? { ...part, batch: { ...batch, reference: await logProbsOf(reference, part, temperature) } }
    : part
}

function maskOf(
  { ids, finished }: Completion,
  endIds: readonly number[],
  { truncated, endToken }: PrepareOptions,
): Uint8Array {
  const mask = new Uint8Array(ids.length).fill(finished || truncated === 'keep' ? 1 : 0)
  if (endToken === 'leave-out' && endIds.includes(ids[ids.length - 1])) mask[ids.length - 1] = 0
  return mask
}

function advantageOf({ advantage }: Completion): number {
  if (advantage !== undefined) return advantage
  throw new GroupError(
    'missing-advantage',
    'a completion has no advantage; put grpo.advantage before this node',
  )
}

function logProbsOfCompletion({ logProbs }: Completion): readonly number[] {
  if (logProbs) return logProbs
  throw new GroupError(
    'missing-log-probs',
    'a completion has no log-probabilities of its generator; set importance to "none"',
  )
}
