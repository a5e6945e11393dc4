import type { Context, SourceItem } from '../../engine/operator.ts'
import { shuffled } from '../shuffle.ts'

/** Fields of operators that pass over their items several times. */
export const passFields = {
  shuffle: {
    type: 'boolean',
    default: false,
    description: "Random order, a new one in each pass; it depends on the run's seed.",
  },
  epochs: {
    type: 'integer',
    minimum: 0,
    default: 1,
    description: 'Passes over the file; 0 repeats it without end.',
  },
  limit: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Items taken in all passes together; 0 takes all.',
  },
} as const

/** Fields of operators that read a file of rows about clips several times. */
export const epochFields = {
  root: {
    type: 'string',
    reads: 'data',
    default: '',
    description: "Folder that the clips' names start from; empty for the folder of the file.",
  },
  ...passFields,
} as const

/** The number of items that `rows` rows make in all passes: infinite if they are repeated without end. */
export const itemsInPasses = ({ epochs, limit }: { epochs: number; limit: number }, rows: number): number =>
  Math.min(limit || Number.POSITIVE_INFINITY, rows * (epochs || Number.POSITIVE_INFINITY))

/** What passes use of a run: its seed, and that it learns how many items will come. */
export type PassContext = Pick<Context, 'seed' | 'expect'>

/** The samples of all passes, keyed by pass and sample; `what` they are, in the plural. */
export function* inEpochs<T>(
  samples: readonly SourceItem<T>[],
  { shuffle, epochs, limit }: { shuffle: boolean; epochs: number; limit: number },
  { seed, expect }: PassContext,
  what: string,
): Generator<SourceItem<T>> {
  let left = limit || Number.POSITIVE_INFINITY
  const items = itemsInPasses({ epochs, limit }, samples.length)
  if (Number.isFinite(items)) expect(items, what)
  for (let epoch = 1; epochs === 0 || epoch <= epochs; epoch++) {
    for (const { key, ...item } of shuffle ? shuffled(samples, seed, epoch) : samples) {
      if (left-- <= 0) return
      yield { key: `${epoch}:${key}`, ...item }
    }
  }
}
