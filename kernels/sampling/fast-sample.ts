import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { drawRow } from './fast-row.ts'
import { span, spanLanes, summariseSpans } from './fast-spans.ts'
import type { Draw } from './sample.ts'

export interface DrawTokens extends Draw {
  /** (rows, vocabulary) */
  logits: Tensor
  /** (rows, capacity): the share that each token drawn had of its row. */
  chances: Tensor
  /** Takes the first of the largest logits; the rest is then without effect, and `chances` of no meaning. */
  greedy: boolean
  temperature: number
  topK: number
  topP: number
  minP: number
}

/**
 * Draws as `probabilities` and then `sampleTokens` do, without writing probabilities: for GPUs with workgroups of 1024
 * lanes. One dispatch sums up spans of 32 tokens; in the other a row's workgroup mostly reads these and few logits. Only
 * where much is left of a flat distribution by top-k or top-p it looks at all logits, several times.
 */
export function drawTokens(recording: Recording, of: DrawTokens): void {
  const { greedy, temperature, topK, topP, minP, rows, vocabulary, capacity, endId } = of
  const { logits, seeds, position, done, ids, history, chances } = of
  const spans = Math.ceil(vocabulary / span)
  const coldness = greedy ? 1 : 1 / temperature
  const summaries = recording.tensor('summaries', [rows, spans, 2])
  recording.dispatch(summariseSpans(vocabulary), {
    params: { rows, columns: vocabulary, spans, coldness },
    buffers: { logits, summaries },
    grid: Math.ceil((rows * spans) / spanLanes),
  })
  const likeliest = topK < vocabulary ? topK : 0
  const isCut = likeliest > 0 || topP < 1 || minP > 0
  recording.dispatch(drawRow(greedy ? 'greedy' : isCut ? 'cut' : 'plain'), {
    params: {
      ...{ rows, columns: vocabulary, spans, capacity, end_id: endId },
      ...{ coldness, top_k: likeliest, top_p: topP, min_p: minP },
    },
    buffers: { logits, summaries, seeds, position, done, ids, history, chances },
    grid: rows,
  })
}
