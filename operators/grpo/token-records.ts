import type { Fields } from '../../engine/operator.ts'
import type { Tokenizer } from '../model/checkpoint/tokenizer.ts'
import type { UpdateShare } from './prepare.ts'

export const tokenRecordFields = {
  recordTokens: {
    type: 'boolean',
    default: false,
    description:
      'Write each token of each completion to tokens.jsonl, with its log-probability and its share of the KL divergence before the update: the page of a run can colour them.',
  },
} as const satisfies Fields

/** A line of `tokens.jsonl` for each completion of a share that went through an update. */
export async function tokenRecords(
  { sequence, rows }: UpdateShare,
  tokenizer: Tokenizer,
): Promise<Record<string, unknown>[]> {
  const reference = await rows.reference
  return (sequence.completions ?? []).map((ids, i) => {
    const logProbabilities = Array.from(rows.old?.[i] ?? [], rounded)
    const gaps = reference?.[i] && Array.from(reference[i], (value, t) => value - (rows.old?.[i]?.[t] ?? 0))
    return {
      index: i,
      pieces: Array.from(ids, id => tokenizer.decode([id])),
      logProbabilities,
      // exp(reference − policy) − (reference − policy) − 1, of which the metric `kl` is the mean
      ...(gaps && { kl: gaps.map(gap => rounded(Math.exp(gap) - gap - 1)) }),
    }
  })
}

const rounded = (value: number): number => Number(value.toPrecision(4))
