import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

// The support of a row: the tokens that it could have been drawn from, a bit each, so that training can renormalise over the same
// tokens as sampling did. `supportOf` writes the bits, one lane a word of 32 tokens; `restrict` makes the logits of all other
// tokens so small that their exponential is 0.

/** Tokens of a vocabulary in one word of a support. */
export const wordTokens = 32

/** A chunk of rows; row r of it is row `firstRow` + r of the tensors over all rows. */
export interface SupportRows {
  /** u32 (all rows, ⌈vocabulary / 32⌉): bit v mod 32 of word v / 32 is set for each token v of the support. */
  support: Tensor
  firstRow: number
  rows: number
  vocabulary: number
}

/** Sets the bits of tokens whose probability is not 0 and of each row's target, and clears the others of these rows. */
export function supportOf(
  recording: Recording,
  of: SupportRows & { probabilities: Tensor; targets: Tensor },
): void {
  const { probabilities, targets, support, firstRow, rows, vocabulary } = of
  const words = Math.ceil(vocabulary / wordTokens)
  const { width } = spread(recording.target)
  const parts = Math.ceil(words / width)
  recording.dispatch(gatherBits(recording.target), {
    params: { first_row: firstRow, rows, vocabulary, words, parts },
    buffers: { probabilities, targets, support },
    grid: rows * parts,
  })
}

/** Logits (rows, vocabulary) outside of the support become so small that they count as impossible. */
export function restrict(recording: Recording, of: SupportRows & { logits: Tensor }): void {
  const { logits, support, firstRow, rows, vocabulary } = of
  const words = Math.ceil(vocabulary / wordTokens)
  const { width, repeat } = spread(recording.target)
  const parts = Math.ceil(vocabulary / (width * repeat))
  recording.dispatch(mask(recording.target), {
    params: { first_row: firstRow, rows, vocabulary, words, parts },
    buffers: { logits, support },
    grid: rows * parts,
  })
}

const params = { first_row: 'u32', rows: 'u32', vocabulary: 'u32', words: 'u32', parts: 'u32' } as const

// One lane a word.
function gatherBits(target: Target) {
  const { width } = spread(target)
  return kernel({
    name: 'support',
    params,
    buffers: {
      probabilities: { element: 'f32', access: 'read' }, // (rows, vocabulary)
      targets: { element: 'u32', access: 'read' }, // (all rows)
      support: { element: 'u32', access: 'write' }, // (all rows, words)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id) / params.parts;
  let word = workgroup_index(id) % params.parts * ${width}u + lane;
  if (row >= params.rows || word >= params.words) { return; }
  let own = params.first_row + row;
  let wanted = targets[own];
  var bits = 0u;
  for (var bit = 0u; bit < ${wordTokens}u; bit++) {
    let v = word * ${wordTokens}u + bit;
    if (v >= params.vocabulary) { break; }
    if (v == wanted || probabilities[row * params.vocabulary + v] > 0.0) { bits |= 1u << bit; }
  }
  support[own * params.words + word] = bits;
}`,
  })
}

// One workgroup for each part of a row: lanes stride over it. exp of what is written is 0, and 0 times it is 0.
function mask(target: Target) {
  const { width, repeat } = spread(target)
  return kernel({
    name: 'restrict',
    params,
    buffers: {
      logits: { element: 'f32', access: 'write' }, // (rows, vocabulary)
      support: { element: 'u32', access: 'read' }, // (all rows, words)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id) / params.parts;
  if (row >= params.rows) { return; }
  let start = workgroup_index(id) % params.parts * ${width * repeat}u + lane;
  let end = min(start - lane + ${width * repeat}u, params.vocabulary);
  for (var v = start; v < end; v += ${width}u) {
    let word = support[(params.first_row + row) * params.words + v / ${wordTokens}u];
    if (((word >> (v % ${wordTokens}u)) & 1u) == 0u) { logits[row * params.vocabulary + v] = -1e30; }
  }
}`,
  })
}
