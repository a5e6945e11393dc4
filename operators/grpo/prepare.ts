import type { VideoModel } from '../../kernels/networks/video-model.ts'
import type { Completion, Group } from '../kinds.ts'
import { GroupError } from './group-error.ts'
import { logProbsOf, type Part, type TrainOptions } from './train.ts'

export interface PrepareOptions extends TrainOptions {
  truncated: 'keep' | 'mask'
}

/** What the updates on a group have in common; runs the reference, when there is one, over it. */
export async function prepare(
  { prompt, completions }: Group,
  reference: VideoModel | null,
  { temperature, truncated, importance }: PrepareOptions,
): Promise<Part> {
  const ids = completions.map(completion => completion.ids)
  const sequence = { ids: prompt.ids, features: prompt.features, completions: ids }
  const counts = ({ finished }: Completion) => (finished || truncated === 'keep' ? 1 : 0)
  return {
    sequence,
    batch: {
      advantages: completions.map(advantageOf),
      mask: completions.map(completion => new Uint8Array(completion.ids.length).fill(counts(completion))),
      reference: reference && (await logProbsOf(reference, sequence, temperature)),
      old: null,
      sampler: importance === 'none' ? null : completions.map(logProbsOfCompletion),
    },
  }
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
