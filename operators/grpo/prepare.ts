import type { Config, Fields } from '../../engine/operator.ts'
import { largestFloat32 } from '../../kernels/device/float16.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { drawnSupport } from '../../kernels/networks/training/drawn-support.ts'
import { submitForward, type VideoModel } from '../../kernels/networks/video-model.ts'
import type { Completion, Group } from '../kinds.ts'
import { seenOf } from '../model/moment-seconds.ts'
import { shownCompletion } from '../reward/usable.ts'
import { GroupError } from './group-error.ts'
import type { ImportanceOptions } from './importance.ts'
import type { LossRows } from './loss.ts'

export const prepareFields = {
  temperature: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: 'Divides the logits before the log-probabilities are computed; set it as in model.generate.',
  },
  topK: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      'Log-probabilities are over the k tokens that were most likely before the first update on a batch, and the token itself; set it as in model.generate. 0: over all tokens.',
  },
  topP: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description:
      'The same, over the most likely tokens that together have this probability; 1: over all tokens.',
  },
  minP: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0,
    description:
      'The same, over tokens that have at least this fraction of the probability of the most likely one; 0: over all tokens.',
  },
  truncated: {
    type: 'string',
    enum: ['keep', 'mask'],
    default: 'keep',
    description:
      'Whether a completion that was cut at the length limit counts in the loss (keep) or not (mask).',
  },
  endToken: {
    type: 'string',
    enum: ['count', 'leave-out'],
    default: 'count',
    description: 'Whether the end-of-text token of a completion counts in the loss.',
  },
} as const satisfies Fields

export type PrepareOptions = Config<typeof prepareFields> & Pick<ImportanceOptions, 'importance'>

/** One group's share of an update: its completions after their prompt, and a row of numbers for each completion. */
export interface UpdateShare {
  sequence: Sequence
  /** The tokens that log-probabilities are over; without it, all. The owner frees it. */
  support?: Required<Tensor>
  /** The rows of the loss that all updates on the group have in common. */
  rows: Omit<LossRows, 'policy' | 'entropies' | 'reference'> & {
    /** A promise while the GPU is still at it. */
    reference: LossRows['reference'] | Promise<Float32Array[]>
  }
}

/** Makes a group's share of its updates; submits a pass of the reference model over it if there is one. */
export async function prepare(
  { prompt, completions }: Group,
  policy: VideoModel,
  reference: VideoModel | null,
  options: PrepareOptions,
  endIds: readonly number[] = [],
): Promise<UpdateShare> {
  const { temperature, importance, topK, topP, minP } = options
  const ids = completions.map(completion => completion.ids)
  const sequence = { ...(await seenOf(prompt)), completions: ids }
  const rows = {
    advantages: completions.map(advantageOf),
    mask: completions.map(completion => maskOf(completion, endIds, options)),
    reference: null,
    old: null,
    sampler: importance === 'none' ? null : completions.map(samplerRow),
  }
  const isPartial = topK > 0 || topP < 1 || minP > 0
  const support = isPartial ? await drawnSupport(policy, [sequence], options) : undefined
  const share: UpdateShare = { sequence, ...(support && { support }), rows }
  if (!reference) return share
  const { scores } = await submitForward(reference, [sequence], temperature, support)
  const referenceRows = scores.then(({ logProbs }) => rowsOf(logProbs, sequence))
  referenceRows.catch(() => {}) // the update that awaits it gets the error
  return { ...share, rows: { ...rows, reference: referenceRows } }
}

/** A model's log-probabilities of the completions of a sequence, one row a completion. */
export async function logProbRows(
  model: VideoModel,
  { sequence, support }: Pick<UpdateShare, 'sequence' | 'support'>,
  temperature: number,
): Promise<Float32Array[]> {
  const { scores } = await submitForward(model, [sequence], temperature, support)
  const { logProbs } = await scores
  return rowsOf(logProbs, sequence)
}

/** Cuts the numbers of all supervised tokens of a sequence into one row a completion. */
export function rowsOf(values: Float32Array, { completions = [] }: Sequence): Float32Array[] {
  let end = 0
  return completions.map(({ length }) => {
    end += length
    return values.subarray(end - length, end)
  })
}

function maskOf(
  { ids, finished }: Completion,
  endIds: readonly number[],
  { truncated, endToken }: PrepareOptions,
): Uint8Array {
  const mask = new Uint8Array(ids.length).fill(finished || truncated === 'keep' ? 1 : 0)
  const last = ids.at(-1)
  if (endToken === 'leave-out' && last !== undefined && endIds.includes(last)) mask[ids.length - 1] = 0
  return mask
}

function advantageOf({ advantage, text }: Completion, index: number, { length }: readonly unknown[]): number {
  if (advantage !== undefined) {
    if (Math.abs(advantage) <= largestFloat32) return advantage
    throw new GroupError(
      'not-finite',
      `the advantage of ${shownCompletion(text, index, length)}: must be a number that float32 holds, found ${advantage}`,
      { remedy: 'bound the rewards, or mend the operator that sets advantages' },
    )
  }
  throw new GroupError(
    'missing-advantage',
    'a completion has no advantage; put grpo.advantage before this node',
  )
}

function samplerRow({ logProbs }: Completion): readonly number[] {
  if (logProbs) return logProbs
  throw new GroupError(
    'missing-log-probs',
    'importance weights need the log-probabilities that completions were drawn with, but a completion has none; --set importance=none',
  )
}
