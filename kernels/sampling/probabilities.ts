import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'

// What a token is drawn from: softmax(logits / temperature) over the tokens that top-k, then top-p (Holtzman et al. 2020), then min-p
// leave, in Hugging Face's order; everything else is 0.
//
// Sorting a vocabulary is slow on a GPU, so thresholds are found without it. A key is the bits of a number, rearranged to grow as
// the number does; the threshold is found bit by bit from the highest, as in a binary search:
//
//   key   1???…   do at least k logits (for top-p: enough mass) reach it?  yes: keep the 1    no: make it 0    then the next bit
//
// One workgroup a row, 32 passes over it at most. How many bits there are is a param, because drivers unroll loops of known
// length, which takes them seconds here. The reference, by sorting, is `probabilitiesReference`.

export interface Probabilities {
  /** (rows, vocabulary) */
  logits: Tensor
  /** (rows, vocabulary), not `logits` itself */
  out: Tensor
  temperature: number
  /** Keeps the k largest, and all that equal the k-th; 0 keeps everything. */
  topK: number
  /** Keeps a token while the mass above it is below this; 1 keeps everything. */
  topP: number
  /** Keeps what is at least this many times as likely as the likeliest; 0 or undefined keeps everything. */
  minP?: number | undefined
  rows: number
  vocabulary: number
}

/**
 * out = softmax(logits / temperature) over the tokens that top-k, top-p, then min-p leave; the rest is 0. Throws for a
 * setting outside its range.
 */
export function probabilities(recording: Recording, of: Probabilities): void {
  const { logits, out, temperature, topK, topP, minP = 0, rows, vocabulary } = of
  if (!(temperature > 0)) throw new Error(`probabilities: temperature must be > 0, got ${temperature}`)
  if (!(Number.isInteger(topK) && topK >= 0)) throw new Error(`probabilities: topK must be >= 0, got ${topK}`)
  if (!(topP > 0 && topP <= 1)) throw new Error(`probabilities: topP must be in (0, 1], got ${topP}`)
  if (!(minP >= 0 && minP <= 1)) throw new Error(`probabilities: minP must be in [0, 1], got ${minP}`)
  recording.dispatch(warp(recording.target, vocabulary), {
    params: {
      rows,
      columns: vocabulary / vectorise(vocabulary).size,
      coldness: 1 / temperature,
      top_k: topK < vocabulary ? topK : 0,
      top_p: topP,
      min_p: minP,
      highest_bit: 31,
    },
    buffers: { logits, out },
    grid: rows,
  })
}

/** One row, by sorting. */
export function probabilitiesReference(
  logits: ArrayLike<number>,
  { temperature, topK, topP, minP = 0 }: { temperature: number; topK: number; topP: number; minP?: number },
): number[] {
  const scaled = Array.from(logits, logit => logit / temperature)
  const sorted = scaled.toSorted((a, b) => b - a)
  const least = topK > 0 && topK < sorted.length ? sorted[topK - 1] : Number.NEGATIVE_INFINITY
  const weights = scaled.map(value => (value >= least ? Math.exp(value - sorted[0]) : 0))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const massAbove = (weight: number): number => weights.reduce((sum, w) => (w > weight ? sum + w : sum), 0)
  const nucleus = topP < 1 ? weights.map(w => (w > 0 && massAbove(w) < topP * total ? w : 0)) : weights
  const kept = nucleus.map(w => (w >= minP ? w : 0)) // the largest weight is 1
  const mass = kept.reduce((sum, weight) => sum + weight, 0)
  return kept.map(weight => weight / mass)
}

const gpuWidth = 256

function warp(target: Target, size: number) {
  const { width, enables, functions } = group(target, gpuWidth)
  const { size: packed, element, declarations } = vectorise(size)
  const rowLoop = `var c = lane; c < params.columns; c += ${width}u`
  return kernel({
    name: 'probabilities',
    enables,
    params: {
      rows: 'u32',
      columns: 'u32',
      coldness: 'f32',
      top_k: 'u32',
      top_p: 'f32',
      min_p: 'f32',
      highest_bit: 'u32',
    },
    buffers: { logits: { element, access: 'read' }, out: { element, access: 'write' } }, // (rows, columns in packs)
    code: `${declarations}${functions}
alias word = ${packed === 4 ? 'vec4u' : 'u32'};
fn key_of(value: number) -> word {
  let bits = bitcast<word>(value);
  return select(bits | word(0x80000000u), ~bits, bits >= word(0x80000000u));
}
fn largest(value: number) -> f32 { ${packed === 4 ? 'return max(max(value.x, value.y), max(value.z, value.w));' : 'return value;'} }
fn count_from(key: u32, start: u32, lane: u32) -> f32 {
  var count = number();
  for (${rowLoop}) { count += select(number(), number(1.0), key_of(logits[start + c]) >= word(key)); }
  return group_sum(total(count), lane);
}
fn mass_from(key: u32, start: u32, lane: u32) -> f32 {
  var mass = number();
  for (${rowLoop}) { let value = out[start + c]; mass += select(number(), value, bitcast<word>(value) >= word(key)); }
  return group_sum(total(mass), lane);
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  var top = number(-3.4e38);
  for (${rowLoop}) { top = max(top, logits[start + c]); }
  let highest = group_max(largest(top), lane);

  var least = 0u;
  if (params.top_k > 0u) {
    for (var bit = params.highest_bit; ; bit--) {
      let candidate = least | (1u << bit);
      let count = count_from(candidate, start, lane);
      if (count >= f32(params.top_k)) { least = candidate; }
      if (bit == 0u || count == f32(params.top_k)) { break; }
    }
  }
  var sum = number();
  for (${rowLoop}) {
    let value = logits[start + c];
    let distance = (value - highest) * params.coldness;
    let kept = (key_of(value) >= word(least)) & (distance > number(-87.0));
    let weight = select(number(), exp(max(distance, number(-87.0))), kept);
    out[start + c] = weight;
    sum += weight;
  }
  var mass = group_sum(total(sum), lane);

  var lightest = 0u; // weights are not negative, so their bits are keys as they are
  if (params.top_p < 1.0) {
    let wanted = max(params.top_p * mass, 1e-30);
    for (var bit = params.highest_bit - 2u; ; bit--) {
      let candidate = lightest | (1u << bit);
      if (mass_from(candidate, start, lane) >= wanted) { lightest = candidate; }
      if (bit == 0u) { break; }
    }
  }
  lightest = max(lightest, bitcast<u32>(params.min_p)); // the heaviest weighs 1
  if (lightest > 0u) { mass = mass_from(lightest, start, lane); }
  for (${rowLoop}) {
    let weight = out[start + c];
    out[start + c] = select(number(), weight / mass, bitcast<word>(weight) >= word(lightest));
  }
}`,
  })
}
