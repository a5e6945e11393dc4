import type { Config, Fields } from '../../../engine/operator.ts'
import { type IntegersOf, isMatrix } from '../../../kernels/networks/parameters.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'

/** Fields of a resource: how its frozen weights are held on the GPU. */
export const frozenFields = {
  weights: {
    type: 'string',
    enum: ['stored', 'int8', 'int4'],
    default: 'stored',
    description:
      'How frozen matrices are held on the GPU: as in the checkpoint, its floats in `precision` (stored), or rounded to integers of 8 or 4 bits when they are loaded. Of int4, embeddings and head have 8 bits. What is trained stays float32.',
  },
  groupSize: {
    type: 'integer',
    minimum: 8,
    default: 128,
    description:
      'Neighbours in a row of a matrix that share a scale where `weights` are int8 or int4: a multiple of 8. Fewer are nearer to the floats and take more memory.',
  },
} as const satisfies Fields

export type FrozenOptions = Config<typeof frozenFields>

/** Which frozen matrices are rounded to integers, and how; undefined: none. Embeddings and heads of 4 bits would lose most. */
export function integersOf({ weights, groupSize }: FrozenOptions): IntegersOf | undefined {
  if (weights === 'stored') return undefined
  if (groupSize % 8 !== 0) {
    const message = `groupSize: must be a multiple of 8, got ${groupSize}`
    throw new CheckpointError({ code: 'bad-config', message })
  }
  const bits = weights === 'int8' ? 8 : 4
  return (name, shape) => {
    if (shape.length !== 2 || !isMatrix(name, shape)) return undefined
    return { bits: wideNames.test(name) ? 8 : bits, groupSize }
  }
}

const wideNames = /\.(embed_tokens|lm_head)\.weight$/

/** What a note on memory says of the weights. */
export const frozenNote = ({ weights, groupSize }: FrozenOptions): string =>
  weights === 'stored' ? '' : `, frozen matrices as ${weights} in groups of ${groupSize}`
