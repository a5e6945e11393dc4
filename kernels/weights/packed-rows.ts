// Integers as checkpoints of AWQ and GPTQ pack them, brought into the order of integers.ts. Both store a matrix (outputs, inputs)
// with its inputs as rows:
//
//             integers                                       zeros                              scales
//   AWQ    │ (inputs, outputs / 8): a word has 8         │ (groups, outputs / 8), the same  │ (groups, outputs)
//          │ outputs, in the order 0 2 4 6 1 3 5 7       │ order
//   GPTQ   │ (inputs · bits / 32, outputs): a word has   │ (groups, outputs · bits / 32),   │ (groups, outputs)
//          │ neighbours of one output, low bits first    │ low bits first, less 1 in version 1
//
// A lane writes a word of the matrix, or its half of a group's word; neighbouring lanes have neighbouring outputs, so they read
// whole lines. It is done once, while a checkpoint is loaded. The reference is in test/kernels/weights/packed-rows.test.ts:
// loops that pack a matrix as the formats say.

import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'
import { type IntegerFormat, type IntegerMatrix, rowWords } from './integers.ts'
import { type RawFormat, rawElementsWgsl, widened } from './store-elements.ts'

/** How a checkpoint packs integers. */
export interface Packing extends IntegerFormat {
  readonly method: 'awq' | 'gptq'
  /** Added to stored zeros. */
  readonly zeroOffset: 0 | 1
}

/** What one of a matrix's tensors holds. */
export type PackedPart = 'integers' | 'zeros' | 'scales'

export interface PackedRows {
  /** u32: the bytes of the file. */
  raw: Tensor
  /** The first element in `raw`, in units of two bytes. */
  at: number
  /** Of scales; integers and zeros are words. */
  format: RawFormat
  /** Whole rows of the stored tensor, from `firstRow` on; of AWQ's integers, multiples of 8. */
  rows: number
  firstRow: number
  part: PackedPart
  packing: Packing
  to: IntegerMatrix
  /** u32 (2): counts the scales outside float16's range, and those that are no finite number. */
  counts: Tensor
}

/** Rows of one stored tensor of a matrix; each of them is written once, in any order, into memory that was zero. */
export function unpackRows(recording: Recording, of: PackedRows): void {
  const { raw, at, format, rows, firstRow, part, packing, to, counts } = of
  const [outputs, inputs] = to.shape
  const words = rowWords(inputs, to)
  const { width, repeat } = spread(recording.target)
  const isAwq = packing.method === 'awq' && part === 'integers'
  if (isAwq && (rows % 8 !== 0 || firstRow % 8 !== 0))
    throw new Error(`unpackRows: 8 must divide rows of AWQ, got ${rows} from ${firstRow} on`)
  const lines = isAwq ? rows / 8 : rows
  const first = isAwq ? firstRow / 8 : firstRow
  const into = part === 'integers' ? to.integers : to.groups
  const wordsOfRow = part === 'integers' ? words.integers : words.groups
  recording.dispatch(unpacked(recording.target, part, packing, format), {
    params: { at, count: lines * outputs, outputs, first, words: wordsOfRow },
    buffers: { raw, into, counts },
    grid: Math.ceil((lines * outputs) / (width * repeat)),
  })
}

/** WGSL: what a lane writes of line `line` and output `output` of the stored tensor, of which `word(i)` is a word. */
function laneWgsl(part: PackedPart, { method, bits, zeroOffset }: Packing): string {
  const mask = `${2 ** bits - 1}u`
  const numbers = 32 / bits
  // The place in a word of AWQ of each of 8 outputs.
  const places = 'array<u32, 8>(0u, 4u, 1u, 5u, 2u, 6u, 3u, 7u)'
  if (part === 'scales')
    return 'let value = narrowed(counted(element(line * params.outputs + output), 0x7f800000u));'
  const inWord = (row: string) => `word(${row} * (params.outputs / ${numbers}u) + output / ${numbers}u)`
  const place = method === 'awq' ? `places[output % 8u]` : `(output % ${numbers}u)`
  if (part === 'zeros')
    return `var places = ${places};
    let value = (((${inWord('line')} >> (${place} * ${bits}u)) & ${mask}) + ${zeroOffset}u) << 16u;`
  if (method === 'gptq') return 'let value = word(line * params.outputs + output);'
  return `var places = ${places};
    var value = 0u;
    for (var j = 0u; j < 8u; j++) { value |= ((${inWord('(line * 8u + j)')} >> (${place} * 4u)) & 15u) << (j * 4u); }`
}

function unpacked(target: Target, part: PackedPart, packing: Packing, format: RawFormat) {
  const { width, repeat } = spread(target)
  return kernel({
    name: `unpack_${packing.method}_${part}_${packing.bits}`,
    params: { at: 'u32', count: 'u32', outputs: 'u32', first: 'u32', words: 'u32' },
    buffers: {
      raw: { element: 'u32', access: 'read' },
      into: { element: 'u32', access: 'write' }, // (outputs, words)
      counts: { element: 'atomic<u32>', access: 'write' },
    },
    code: `${rawElementsWgsl}
fn element(i: u32) -> u32 { return ${widened[format]}; }
fn word(i: u32) -> u32 { return ${widened.F32}; }
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) {
    let line = i / params.outputs;
    let output = i % params.outputs;
    ${laneWgsl(part, packing)}
    let to = output * params.words + params.first + line;
    into[to] ${part === 'integers' ? '=' : '|='} value;
  }
}`,
  })
}
