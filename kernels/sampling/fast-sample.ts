import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { drawRow } from './fast-row.ts'
import { span, spanLanes, summariseSpans } from './fast-spans.ts'
import type { Draw } from './sample.ts'

// Drawing tokens without writing probabilities: the same draws as `probabilities` and then `sampleTokens`, for GPUs with workgroups of
// 1024 lanes. A vocabulary has 150,000 logits, and most need not be read twice:
//
//   logits      │ 32 tokens │ 32 tokens │ …          first kernel (fast-spans.ts): each span's largest logit, and its sum of
//   summaries   │ max, sum  │ max, sum  │ …          weights relative to that
//                     ↓
//   one workgroup a row (fast-row.ts) reads the summaries, decides which span is hit, and reads only that
//
//   greedy   the first span with the largest
//   plain    the span at which the running sum of weights passes u · total, then the token in it
//   cut      with top-k, top-p or min-p (fast-cut.ts): the likeliest tokens as a short list (fast-list.ts); only where that
//            is not enough, thresholds over the whole row (fast-threshold.ts)
//
// The references are those of the plain way, `probabilitiesReference` and `drawReference`.

export interface DrawTokens extends Draw {
  /** (rows, vocabulary) */
  logits: Tensor
  /** (rows, capacity): the share that each token drawn had of its row. */
  chances: Tensor
  /** Takes the first of the largest logits; the settings below then have no effect, and `chances` are all 1. */
  greedy: boolean
  temperature: number
  topK: number
  topP: number
  minP: number
}

/** Records both kernels: the summaries of all spans, then a token of each row. */
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
      rows,
      columns: vocabulary,
      spans,
      capacity,
      end_id: endId,
      coldness,
      top_k: likeliest,
      top_p: topP,
      min_p: minP,
    },
    buffers: { logits, summaries, seeds, position, done, ids, history, chances },
    grid: rows,
  })
}
