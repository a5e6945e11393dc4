// Elements of a checkpoint file (float32, float16 or bfloat16) to the type in which a weight is stored on the GPU.
//
//   raw     │ b0 b1 │ b2 b3 │ …   the bytes as they are in the file: two bytes for each 16-bit element
//   stored  │ word            │   a thread writes one word: one float32, or two float16
//
// bfloat16 is the upper half of a float32, so it is shifted. float16 is rebiased: exponent + 112 (IEEE 754: biases 127 and 15),
// subnormals are shifted until their highest bit is implicit. Rounding to float16 is to nearest, ties to even. All of this is
// done on integers: adapters may flush subnormal floats to zero. Conversion on the GPU lets a file be uploaded without a copy
// on the host. Memory limits it, so neighbouring lanes write neighbouring words. The reference is the host's conversion
// (device/float16.ts).

import { kernel, type Target } from '../device/kernel.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

/** The type of the elements in a checkpoint file, little-endian. */
export type RawFormat = 'F32' | 'F16' | 'BF16'

export interface StoredElements {
  /** u32: the bytes of the file. */
  raw: Tensor
  /** The first element in `raw`, in units of two bytes. */
  at: number
  format: RawFormat
  count: number
  /** f32 or f16: written from element `first` on, which is even. */
  to: Tensor
  first: number
  /** u32 (2): counts the values outside float16's range if `to` is float16, and those that are no finite number. */
  counts: Tensor
}

/**
 * to[first + i] = element i of the raw bytes, exact in float32. In float16 a value outside the range becomes the largest finite
 * one, with its sign. NaN stays NaN.
 */
export function storeElements(recording: Recording, of: StoredElements): void {
  const { raw, at, format, count, to, first, counts } = of
  const isHalf = to.type === 'f16'
  const words = isHalf ? Math.ceil(count / 2) : count
  const { width, repeat } = spread(recording.target)
  recording.dispatch(store(recording.target, format, isHalf), {
    params: { at, count, words, first: isHalf ? first / 2 : first },
    buffers: { raw, stored: { ...to, type: 'u32', shape: [Math.ceil(bytesOf(to) / 4)] }, counts },
    grid: Math.ceil(words / (width * repeat)),
  })
}

function store(target: Target, format: RawFormat, isHalf: boolean) {
  const { width, repeat } = spread(target)
  const copied = isHalf && format === 'F16'
  const read = copied ? 'half(params.at + i)' : widened[format]
  const checked = `counted(${read}, ${copied ? '0x7c00u' : '0x7f800000u'})`
  const element = isHalf && !copied ? `narrowed(${checked})` : checked
  return kernel({
    name: `store_${format}_as_${isHalf ? 'f16' : 'f32'}`,
    params: { at: 'u32', count: 'u32', words: 'u32', first: 'u32' },
    buffers: {
      raw: { element: 'u32', access: 'read' },
      stored: { element: 'u32', access: 'write' },
      counts: { element: 'atomic<u32>', access: 'write' },
    },
    code: `${rawElementsWgsl}
fn element(i: u32) -> u32 { return ${element}; }
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.words);
  for (var i = start; i < end; i += ${width}u) {
    ${
      isHalf
        ? `var word = element(2u * i);
    if (2u * i + 1u < params.count) { word |= element(2u * i + 1u) << 16u; }
    stored[params.first + i] = word;`
        : 'stored[params.first + i] = element(i);'
    }
  }
}`,
  })
}

/**
 * WGSL: `half(i)` of the binding `raw`; `from_half` and `narrowed` between the bits of float16 and of float32; `counted` returns
 * a word whose exponent is not that of a number beyond counting it.
 */
export const rawElementsWgsl = `
fn half(i: u32) -> u32 { return (raw[i >> 1u] >> ((i & 1u) * 16u)) & 0xffffu; }
fn from_half(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 0x1fu;
  let fraction = bits & 0x3ffu;
  if (exponent == 0x1fu) { return sign | 0x7f800000u | (fraction << 13u); }
  if (exponent > 0u) { return sign | ((exponent + 112u) << 23u) | (fraction << 13u); }
  if (fraction == 0u) { return sign; }
  let shift = countLeadingZeros(fraction) - 21u;
  return sign | ((113u - shift) << 23u) | (((fraction << shift) & 0x3ffu) << 13u);
}
fn counted(word: u32, exponent: u32) -> u32 {
  if ((word & exponent) == exponent) { atomicAdd(&counts[1], 1u); }
  return word;
}
fn narrowed(word: u32) -> u32 {
  let sign = (word >> 16u) & 0x8000u;
  let magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0x7e00u; }
  if (magnitude >= 0x477ff000u) {
    atomicAdd(&counts[0], 1u);
    return sign | 0x7bffu;
  }
  if (magnitude >= 0x38800000u) {
    return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u);
  }
  let shift = 126u - (magnitude >> 23u);
  if (shift > 24u) { return sign; }
  let fraction = (magnitude & 0x7fffffu) | 0x800000u;
  let floor = fraction >> shift;
  let rest = fraction & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  return sign | (floor + select(0u, 1u, rest > middle || (rest == middle && (floor & 1u) == 1u)));
}
`

/** WGSL: element \`i\` of the raw bytes as the bits of a float32. */
export const widened = {
  BF16: '(half(params.at + i) << 16u)',
  F16: 'from_half(half(params.at + i))',
  F32: '(half(params.at + 2u * i) | (half(params.at + 2u * i + 1u) << 16u))',
} as const satisfies Record<RawFormat, string>
