import type t from 'tap'
import type { Test as Subtest } from 'tap'
import { type Device, openDevice } from '../../kernels/device/device.ts'
import type { Family } from '../../kernels/device/family.ts'
import type { ElementType, Tensor } from '../../kernels/device/tensor.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { relativeError } from '../golden/row.ts'

type Test = typeof t

/** Runs `body` once for each kernel family on the adapter of this machine, and closes the device. */
export async function onEachFamily(
  test: Test | Subtest,
  body: (device: Device, test: Test) => Promise<void>,
): Promise<void> {
  for (const family of ['cpu', 'gpu'] satisfies Family[]) {
    await test.test(`${family} kernels`, async child => {
      const device = await openDevice({ family })
      child.teardown(() => device.close())
      await body(device, child as unknown as Test) // a subtest has every method of the root test
    })
  }
}

/** Values in (−0.5, 0.5) · scale, always the same for a seed. */
export function noise(size: number, seed = 1, scale = 2): Float32Array<ArrayBuffer> {
  const values = new Float32Array(size)
  let state = seed * 2654435761
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    values[i] = (state / 4294967296 - 0.5) * scale
  }
  return values
}

export function close(
  test: Pick<Test, 'ok'>,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  bound = 1e-5,
  what = '',
): void {
  const error = relativeError(found, wanted)
  test.ok(error <= bound, `${what} relative error ${error.toExponential(1)} <= ${bound}`)
}

/** A tensor with a buffer of its own that holds the data. */
export function given(
  device: Device,
  shape: readonly number[],
  data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
): Tensor {
  const type: ElementType = data instanceof Uint32Array ? 'u32' : 'f32'
  return device.tensor('given', shape, type, data)
}

/** Records, compiles and runs once. */
export async function runOnce(device: Device, record: (recording: Recording) => void): Promise<void> {
  const recording = new Recording(device)
  record(recording)
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  await device.finish()
  compiled.free()
}
