import type { Tensor } from '../../device/tensor.ts'
import type { Recording } from '../../plan/recording.ts'
import { drawTokens } from '../../sampling/fast-sample.ts'
import { probabilities } from '../../sampling/probabilities.ts'
import { penaliseRepeats } from '../../sampling/repetition-penalty.ts'
import { sampleTokens } from '../../sampling/sample.ts'

export interface Sampling {
  /** Takes the most likely token; of the other fields only `repetitionPenalty` then has an effect. */
  greedy: boolean
  temperature: number
  /** Keeps the k most likely tokens; 0 keeps all. */
  topK: number
  /** Keeps the most likely tokens until their probabilities add up to this; 1 keeps all. */
  topP: number
  /** Keeps the tokens whose probability is at least this share of the largest one; 0, the default, keeps all. */
  minP?: number
  /** Divides the positive logits, and multiplies the negative ones, of tokens already in the completion; default 1. */
  repetitionPenalty?: number
}

/** The tokens that sequences have drawn so far, on the GPU. */
export interface DrawState {
  /** u32 (rows): the number of tokens of each that have keys and values: all drawn ones but the last. */
  position: Tensor
  seeds: Tensor
  /** u32 (rows): not 0 once a sequence has drawn `endId`. */
  done: Tensor
  /** u32 (rows): the last token of each. */
  ids: Tensor
  /** u32 (rows, capacity) */
  history: Tensor
  /** (rows, capacity): probability of each token in the distribution from which it was drawn; undefined values when greedy. */
  chances: Tensor
}

/** The state of sequences that have drawn no token. */
export function initialDrawState(
  recording: Recording,
  seeds: () => readonly number[],
  capacity: number,
): DrawState {
  const rows = seeds().length
  const zeros = (label: string) => recording.input(label, [rows], () => new Uint32Array(rows))
  return {
    position: zeros('position'),
    seeds: recording.input('seeds', [rows], () => Uint32Array.from(seeds())),
    done: zeros('done'),
    ids: zeros('ids'),
    history: recording.pin('history', [rows, capacity], 'u32'),
    chances: recording.pin('chances', [rows, capacity]),
  }
}

/** Draws the next token of each row of `logits` (rows, vocabulary), which it overwrites; `isFast` if `fastSteps` record the steps. */
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
