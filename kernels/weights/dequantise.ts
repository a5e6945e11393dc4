// A matrix of integers (integers.ts) as floats, for products of many rows: one matrix at a time, in memory that the next one reuses.
//
//   word of integers   │ 8 of 4 bits, or 4 of 8 │       a lane writes the elements of a word; neighbouring lanes have neighbouring
//   out                │ elements               │       words, so that reads and writes are whole lines
//
// The reference is `dequantiseReference`.

import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { elementOf, floatTypeOf, withinFloat16 } from '../wgsl/float16-stores.ts'
import { spread } from '../wgsl/packs.ts'
import { type IntegerFormat, type IntegerMatrix, integersWgsl, rowWords } from './integers.ts'

/** out (rows, columns), f32 or f16 = the elements of the matrix. */
export function dequantise(recording: Recording, { from, out }: { from: IntegerMatrix; out: Tensor }): void {
  const [rows, columns] = from.shape
  const words = rowWords(columns, from)
  const { width, repeat } = spread(recording.target)
  const count = rows * words.integers
  recording.dispatch(dequantised(recording.target, from, floatTypeOf(out)), {
    params: { count, words: words.integers, groups: words.groups },
    buffers: { integers: from.integers, groups: from.groups, elements: out },
    grid: Math.ceil(count / (width * repeat)),
  })
}

function dequantised(target: Target, format: IntegerFormat, type: 'f32' | 'f16') {
  const { bits, groupSize } = format
  const { width, repeat } = spread(target)
  const parts = bits === 4 ? [0, 1] : [0]
  return kernel(['dequantise', targetKey(target), bits, groupSize, type], () => ({
    name: `dequantise_${bits}_${type}`,
    ...(type === 'f16' && { enables: 'enable f16;' }),
    params: { count: 'u32', words: 'u32', groups: 'u32' }, // words and groups of a row
    buffers: {
      integers: { element: 'u32', access: 'read' }, // (rows, words)
      groups: { element: 'u32', access: 'read' }, // (rows, groups)
      elements: { element: elementOf(type, 4), access: 'write' }, // (rows, columns)
    },
    code: `${integersWgsl(format)}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(first + ${width * repeat}u, params.count);
  for (var i = first; i < end; i += ${width}u) {
    let word = integers[i];
    let group = groups[i / params.words * params.groups + i % params.words / ${(groupSize * bits) / 32}u];
    ${parts
      .map(part => {
        const value = `(integers_of(word, ${part * 4}u) - zero_of(group)) * scale_of(group)`
        const kept = type === 'f16' ? withinFloat16(value, 'vec4f') : value
        return `elements[i * ${parts.length}u + ${part}u] = vec4<${type}>(${kept});`
      })
      .join('\n    ')}
  }
}`,
  }))
}
