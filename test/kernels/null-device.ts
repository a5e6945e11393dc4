import { create, globals } from 'webgpu'
import { declare, type Kernel, type Target } from '../../kernels/device/kernel.ts'
import { type Precision, Recording } from '../../kernels/plan/recording.ts'

/** The target of kernels for a GPU with matrix units. */
export const unitsTarget: Target = { family: 'gpu', units: 'native', subgroupSize: 32 }

// Instances must stay referenced as long as the process lives, else Node crashes at random.
const instances: GPU[] = []

/** A device that runs nothing, but validates WGSL with every feature of Dawn, also matrix units. */
export async function nullDevice(): Promise<GPUDevice> {
  Object.assign(globalThis, globals)
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
  instances.push(gpu)
  const adapter = await gpu.requestAdapter()
  if (!adapter) throw new Error('Dawn has no null backend')
  const features = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix']
  return adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] }) // Dawn's own feature is not in the types
}

/**
 * Dawn's errors about the kernels that `record` records for a GPU with matrix units. Each is compiled twice: with read-only
 * inputs, and with writable ones, as they are bound if they share a buffer with an output.
 */
export async function complaints(
  gpu: GPUDevice,
  record: (recording: Recording) => void,
  precision: Precision = 'float16',
): Promise<string[]> {
  const recording = new Recording(unitsTarget, precision)
  record(recording)
  const kernels = new Map<string, Kernel>()
  for (const { commands } of recording.segments)
    for (const command of commands)
      if ('dispatch' in command) kernels.set(command.dispatch.kernel.code, command.dispatch.kernel)
  const errors: string[] = []
  for (const [kernel, isShared] of [...kernels.values()].flatMap(of => [
    [of, false] as const,
    [of, true] as const,
  ])) {
    const writable = Object.values(kernel.buffers).map(({ access }) => isShared || access === 'write')
    gpu.pushErrorScope('validation')
    const module = gpu.createShaderModule({
      label: kernel.name,
      code: declare(kernel, writable) + kernel.code,
    })
    const { messages } = await module.getCompilationInfo()
    await gpu.popErrorScope()
    for (const { type, message, lineNum } of messages)
      if (type === 'error') errors.push(`${kernel.name}:${lineNum}: ${message}`)
  }
  return errors
}
