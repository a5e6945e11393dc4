import type { Device } from '../../kernels/device/device.ts'
import { toFloat16 } from '../../kernels/device/float16.ts'
import { kernel } from '../../kernels/device/kernel.ts'
import { type ElementType, sizeOf } from '../../kernels/device/tensor.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'

/**
 * Fills weights on the GPU: matrices with uniform numbers of the variance 1 / fan-in, so that signals keep their size
 * through layers that were never trained; gains with 1; biases stay 0. All of them are numbers that float16 can hold, so that
 * trained models, which are kept in float32, have the same weights as frozen ones.
 */
export async function fillRandom(device: Device, { byName }: ParameterSet): Promise<void> {
  const recording = new Recording(device)
  // By name: the order of the parameters depends on which of them are trained, and models of one shape get the same weights.
  const named = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const [index, { name, shape, value, integers }] of named.entries()) {
    if (name.endsWith('.bias')) continue
    const isVector = shape.length === 1
    const scale = isVector ? 0 : Math.sqrt(3 / sizeOf(shape.slice(1)))
    const seed = Math.imul(index + 1, 2654435761) >>> 0
    if (integers) {
      // Integers of the whole range, whose elements then have the range of the floats.
      const { bits, groups } = integers
      const group = toFloat16((2 * scale) / (2 ** bits - 1)) + 2 ** (bits - 1) * 65536
      for (const [tensor, fixed] of [
        [value, 0],
        [groups, group],
      ] as const)
        recording.dispatch(randomWords, {
          params: { words: sizeOf(tensor.shape), seed, fixed },
          buffers: { values: tensor },
          grid: Math.ceil(sizeOf(tensor.shape) / (width * wordsOfLane)),
        })
      continue
    }
    const words = value.type === 'f16' ? sizeOf(shape) / 2 : sizeOf(shape)
    recording.dispatch(uniform[value.type === 'f16' ? 'f16' : 'f32'], {
      params: { words, seed, scale, offset: isVector ? 1 : 0 },
      buffers: { values: value },
      grid: Math.ceil(words / (width * wordsOfLane)),
    })
  }
  const compiled = await compile(device, recording, 'random weights')
  compiled.run()
  await device.finish()
  compiled.free()
}

const width = 64
const wordsOfLane = 16

// The number at a place depends on the place and the seed alone (PCG of both).
const wordWgsl = `
fn word_at(place: u32) -> u32 {
  let state = (place ^ params.seed) * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}`

const randomWords = kernel({
  name: 'random_words',
  params: { words: 'u32', seed: 'u32', fixed: 'u32' },
  buffers: { values: { element: 'u32', access: 'write' } },
  code: `${wordWgsl}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * wordsOfLane}u + lane;
  let end = min(start + ${width * wordsOfLane}u, params.words);
  for (var i = start; i < end; i += ${width}u) { values[i] = select(params.fixed, word_at(i), params.fixed == 0u); }
}`,
})

const uniformOf = (type: ElementType) =>
  kernel({
    name: `uniform_${type}`,
    params: { words: 'u32', seed: 'u32', scale: 'f32', offset: 'f32' },
    buffers: { values: { element: 'u32', access: 'write' } },
    code: `${wordWgsl}
fn drawn(place: u32) -> f32 {
  return (f32(word_at(place) >> 8u) / 8388608.0 - 1.0) * params.scale + params.offset;
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * wordsOfLane}u + lane;
  let end = min(start + ${width * wordsOfLane}u, params.words);
  for (var i = start; i < end; i += ${width}u) {
    values[i] = ${type === 'f16' ? 'pack2x16float(vec2f(drawn(2u * i), drawn(2u * i + 1u)))' : 'bitcast<u32>(unpack2x16float(pack2x16float(vec2f(drawn(i), 0.0))).x)'};
  }
}`,
  })

const uniform = { f32: uniformOf('f32'), f16: uniformOf('f16') }
