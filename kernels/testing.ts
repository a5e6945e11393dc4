// `flow/testing` for kernels: compares what a kernel writes with its reference, on both families.

import { type Device, openDevice } from './device/device.ts'
import type { Family } from './device/family.ts'
import { compile } from './plan/compile.ts'
import type { CompiledRecording } from './plan/compiled-recording.ts'
import { Recording } from './plan/recording.ts'
import { type KernelTrial, type NamedTensor, tensorsOf } from './trial.ts'

export interface KernelTestOptions {
  /** Largest difference from the reference, relative to it where it is above 1. Default 1e-5. */
  bound?: number
}

/**
 * Runs each trial with the kernels of both families on the adapter of this machine. Returns a sentence for each fault: a
 * value that differs from the reference, a tensor that was only to be read and is changed, a second run with other values,
 * or GPU memory that is not freed. None for a kernel that is right. Throws a TypeError for a trial that does not say what its
 * tensors hold.
 */
export async function kernelFaultsOf(
  trials: readonly KernelTrial[],
  { bound = 1e-5 }: KernelTestOptions = {},
): Promise<string[]> {
  const filled = trials.map(({ given, wanted, record }, i) => ({
    given: tensorsOf(given, `trial ${i + 1}: given`),
    wanted: tensorsOf(wanted, `trial ${i + 1}: wanted`),
    record,
  }))
  const faults: string[] = []
  for (const family of ['cpu', 'gpu'] satisfies Family[]) {
    const device = await openDevice({ family })
    try {
      for (const [i, trial] of filled.entries())
        for (const fault of await faultsOfTrial(device, trial, bound))
          faults.push(`${family} kernels, trial ${i + 1}: ${fault}`)
    } finally {
      device.close()
    }
  }
  return faults
}

interface FilledTrial extends Pick<KernelTrial, 'record'> {
  readonly given: readonly NamedTensor[]
  readonly wanted: readonly NamedTensor[]
}

async function faultsOfTrial(device: Device, trial: FilledTrial, bound: number): Promise<string[]> {
  const before = device.liveBytes
  const { given, wanted, record } = trial
  const tensor = ({ name, shape }: NamedTensor, values: NamedTensor['values']) =>
    [name, device.tensor(name, shape, 'f32', values)] as const
  const read = given.map(one => tensor(one, one.values))
  const written = wanted.map(one => tensor(one, new Float32Array(one.values.length).fill(Number.NaN)))
  const faults: string[] = []
  let compiled: CompiledRecording | undefined
  try {
    const recording = new Recording(device)
    record(recording, Object.fromEntries([...read, ...written]))
    compiled = await compile(device, recording, 'test')
    compiled.run()
    const first = await Promise.all(written.map(([, tensor]) => device.read(tensor)))
    for (const [i, { name, values }] of wanted.entries())
      faults.push(...differences(name, first[i] ?? [], values, bound))
    for (const [i, [name, tensor]] of read.entries())
      if ((await device.read(tensor)).some((value, at) => !Object.is(value, given[i]?.values[at])))
        faults.push(`${name}: must only be read, found it changed`)
    compiled.run()
    for (const [i, [name, tensor]] of written.entries()) {
      const again = await device.read(tensor)
      if (again.some((value, at) => !Object.is(value, first[i]?.[at])))
        faults.push(`${name}: a second run must write the same values`)
    }
  } finally {
    compiled?.free()
    for (const [, tensor] of [...read, ...written]) device.freeTensor(tensor)
  }
  const left = device.liveBytes - before
  if (left > 0) faults.push(`must free all GPU memory, ${left} bytes are left`)
  return faults
}

/** The place where a tensor differs most from its reference, if it differs too much. */
function differences(
  name: string,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  bound: number,
): string[] {
  let worst = -1
  let most = bound
  for (let i = 0; i < wanted.length; i++) {
    const [value, truth] = [found[i] ?? Number.NaN, wanted[i] ?? Number.NaN]
    const error = Object.is(value, truth) ? 0 : Math.abs(value - truth) / Math.max(1, Math.abs(truth))
    if (!(error <= most)) {
      worst = i
      most = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error
    }
  }
  if (worst < 0) return []
  return [`${name}[${worst}]: must be ${wanted[worst]} within ${bound}, found ${found[worst]}`]
}
