import type { Tensor } from '../../device/tensor.ts'
import type { Recording } from '../../plan/recording.ts'
import { drawTokens } from '../../sampling/fast-sample.ts'
import { probabilities } from '../../sampling/probabilities.ts'
import { penaliseRepeats } from '../../sampling/repetition-penalty.ts'
import { sampleTokens } from '../../sampling/sample.ts'

export interface Sampling {
  /** Takes the most likely token; the rest is then without effect. */
  greedy: boolean
  temperature: number
  /** Keeps the k most likely tokens; 0 keeps all. */
  topK: number
  /** Keeps the most likely tokens up to this mass; 1 keeps all. */
  topP: number
  /** Keeps tokens at least this many times as likely as the likeliest; 0, the default, keeps all. */
  minP?: number
  /** Divides the positive logits of tokens that were written before and multiplies the negative ones; default 1. */
  repetitionPenalty?: number
}

/** What sequences have drawn so far. */
export interface DrawState {
  /** u32 (rows): tokens drawn before the next one is, then those with keys and values. */
  position: Tensor
  seeds: Tensor
  /** u32 (rows): not 0 once a sequence has drawn `endId`. */
  done: Tensor
  /** u32 (rows): the last token of each. */
  ids: Tensor
  /** u32 (rows, capacity) */
  history: Tensor
  /** (rows, capacity): of each token under what it was drawn from; without meaning when greedy. */
  chances: Tensor
}

/** State of sequences that have drawn nothing. */
export function initialDrawState(
  recording: Recording,
  seeds: readonly number[],
  capacity: number,
): DrawState {
  const rows = seeds.length
  const list = (label: string, data: Uint32Array<ArrayBuffer>) => recording.constant(label, [rows], data)
  return {
    position: list('position', new Uint32Array(rows)),
    seeds: list('seeds', Uint32Array.from(seeds)),
    done: list('done', new Uint32Array(rows)),
    ids: list('ids', new Uint32Array(rows)),
    history: recording.pin('history', [rows, capacity], 'u32'),
    chances: recording.pin('chances', [rows, capacity]),
  }
}

/** Draws the next token of each row of `logits` (rows, vocabulary), which it changes; `isFast` where steps are of blocks. */
export function drawNext(
  recording: Recording,
  logits: Tensor,
  { position, seeds, done, ids, history, chances }: DrawState,
  { temperature, topK, topP, minP = 0, repetitionPenalty: penalty = 1, greedy }: Sampling,
  { endId, isFast }: { endId: number; isFast: boolean },
): void {
  const [rows, vocabulary] = logits.shape
  const capacity = history.shape[1]
  if (penalty !== 1)
    penaliseRepeats(recording, { logits, history, position, penalty, rows, vocabulary, capacity })
  const drawn = { seeds, position, done, ids, history, endId, rows, vocabulary, capacity }
  if (isFast) {
    drawTokens(recording, { logits, chances, greedy, temperature, topK, topP, minP, ...drawn })
    return
  }
  if (greedy) {
    sampleTokens(recording, { logits, greedy, ...drawn })
    return
  }
  const out = recording.tensor('probabilities', [rows, vocabulary])
  probabilities(recording, { logits, out, temperature, topK, topP, minP, rows, vocabulary })
  sampleTokens(recording, { probabilities: out, chances, greedy, ...drawn })
}
