import { type WireContext, type WireTensor, wireForm } from '../../engine/operator.ts'
import { bytesOf, type Tensor } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { Example, Frames } from '../kinds.ts'

/** A tensor of the GPU as it travels, in its own format. */
export async function packTensor(tensor: Tensor, context: WireContext): Promise<WireTensor> {
  const device = await sharedDevice(context)
  const data = new Uint8Array(await device.readBytes(tensor))
  return { dtype: tensor.type, shape: tensor.shape, data }
}

/** A tensor that has arrived, on the GPU of this process, and how to free it. */
export async function unpackTensor(label: string, arrived: WireTensor | undefined, context: WireContext) {
  if (!arrived || arrived.dtype === 'u8') throw new TypeError(`${label}: must arrive as a tensor of the GPU`)
  const { dtype, shape, data } = arrived
  const numbers = { f32: Float32Array, f16: Uint16Array, u32: Uint32Array, i32: Int32Array }[dtype]
  const device = await sharedDevice(context)
  const tensor = device.tensor(label, shape, dtype, new numbers(new Uint8Array(data).buffer))
  return { tensor, bytes: bytesOf(tensor), dispose: () => device.freeTensor(tensor) }
}

export const framesForm = wireForm<Frames>({
  pack: async ({ pixels, kept, keep: _, ...rest }, context) => ({
    json: { ...rest, ...(kept && { model: kept.model }) },
    tensors: {
      ...(pixels && { pixels: await packTensor(pixels, context) }),
      ...(kept && { features: await packTensor(kept.features, context) }),
    },
  }),
  unpack: async ({ json, tensors }, context) => {
    // `pack` made it
    const { model, ...rest } = json as Omit<Frames, 'pixels' | 'kept' | 'keep'> & { model?: string }
    if (model === undefined) {
      const { tensor, ...about } = await unpackTensor('frames', tensors?.pixels, context)
      return { value: { ...rest, pixels: tensor }, ...about }
    }
    const { tensor, ...about } = await unpackTensor('kept features', tensors?.features, context)
    return { value: { ...rest, kept: { features: tensor, model } }, ...about }
  },
})

export const exampleForm = wireForm<Example>({
  pack: async ({ features, pixels, ...rest }, context) => ({
    json: rest,
    tensors: {
      ...(features && { features: await packTensor(features, context) }),
      ...(pixels && { pixels: await packTensor(pixels, context) }),
    },
  }),
  unpack: async ({ json, tensors = {} }, context) => {
    const made: [string, Awaited<ReturnType<typeof unpackTensor>>][] = []
    for (const [name, tensor] of Object.entries(tensors))
      made.push([name, await unpackTensor(name, tensor, context)])
    return {
      // `pack` made it
      value: {
        ...(json as Example),
        ...Object.fromEntries(made.map(([name, { tensor }]) => [name, tensor])),
      },
      bytes: made.reduce((sum, [, { bytes }]) => sum + bytes, 0),
      dispose: () => {
        for (const [, { dispose }] of made) dispose()
      },
    }
  },
})
