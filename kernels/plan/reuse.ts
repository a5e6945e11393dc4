import type { Device } from '../device/device.ts'
import type { Kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { compile } from './compile.ts'
import type { CompiledRecording } from './compiled-recording.ts'
import { tensorsToPlace } from './memory.ts'
import type { Recording } from './recording.ts'

/** A compiled recording that nobody uses now, with the tensors for which it was compiled. */
interface IdleRecording {
  compiled: CompiledRecording
  tensors: readonly Tensor[]
  /** The recording whose constants the memory holds. */
  recording: Recording
  key: string
  owner: object
  label: string
}

/**
 * The most memory that may stay idle: a third of the memory in use, which is mostly weights. GPUs without matrix units keep
 * none: their kernels take so long that reuse gains nothing.
 */
const maxIdleBytes = ({ units, liveBytes }: Device): number =>
  units === 'none' ? 0 : Math.max(2 ** 28, liveBytes / 3)

/**
 * As `compile`, but `free` keeps the compiled recording idle, and the next equal recording with the same weights takes it
 * over: recording takes little time compared to allocating, compiling and binding. A pinned tensor without contents of its
 * own then holds the values of the last run. Idle memory counts as free. Each owner, e.g. a set of weights, keeps one idle
 * recording of a label; beyond `maxIdleBytes` the oldest are freed.
 */
export async function compileOrReuse(
  device: Device,
  recording: Recording,
  label: string,
  owner: object,
): Promise<CompiledRecording> {
  const { key, tensors } = signatureOf(recording)
  const idle = idleRecordings.get(device) ?? []
  idleRecordings.set(device, idle)
  const isOfOwner = (one: IdleRecording) => one.owner === owner && one.label === label
  const index = idle.findIndex(one => isOfOwner(one) && one.key === key)
  const [reused] = index < 0 ? [] : idle.splice(index, 1)
  if (reused) moveToLive(device, reused.compiled.bytes)
  else freeIdle(device, isOfOwner)
  const source = reused ?? { compiled: await compile(device, recording, label), tensors, recording }
  if (source.recording !== recording)
    for (const [tensor, data] of recording.constants)
      source.compiled.write(source.tensors[tensors.indexOf(tensor)], data)
  return source.compiled.rebind(source.tensors, tensors, () => {
    moveToLive(device, -source.compiled.bytes)
    freeIdle(device, isOfOwner)
    idle.push({ compiled: source.compiled, tensors: source.tensors, recording, key, owner, label })
    freeIdle(device, () => device.idleBytes > maxIdleBytes(device))
  })
}

/** Frees the idle recordings of an owner, which will use none of them again. */
export function freeIdleRecordings(device: Device, owner: object): void {
  freeIdle(device, one => one.owner === owner)
}

/** Frees the idle recordings that `mustGo` selects. It is asked from the oldest on, each time after the ones before are freed. */
function freeIdle(device: Device, mustGo: (one: IdleRecording) => boolean): void {
  const idle = idleRecordings.get(device) ?? []
  for (const one of [...idle]) {
    if (!mustGo(one)) continue
    idle.splice(idle.indexOf(one), 1)
    moveToLive(device, one.compiled.bytes)
    one.compiled.free()
  }
}

function moveToLive(device: Device, bytes: number): void {
  device.liveBytes += bytes
  device.idleBytes -= bytes
}

const idleRecordings = new WeakMap<Device, IdleRecording[]>()

/** Two recordings with the same signature differ only in the contents of their constants. */
function signatureOf(recording: Recording): Signature {
  const signature = signatures.get(recording) ?? newSignature(recording)
  signatures.set(recording, signature)
  return signature
}

interface Signature {
  key: string
  /** The tensors of the recording that need memory. */
  tensors: readonly Tensor[]
}

const signatures = new WeakMap<Recording, Signature>()

function newSignature(recording: Recording): Signature {
  const numbers = new Map<Tensor, number>()
  const tensors = tensorsToPlace(recording)
  tensors.forEach((tensor, i) => {
    numbers.set(tensor, i)
  })
  const tensorKey = (tensor: Tensor): string => {
    const { storage, shape, type } = tensor
    if (storage) return `${bufferNumbers(storage.buffer)}+${storage.offsetBytes}:${shape}`
    return `${numbers.get(tensor)}${recording.pinned.has(tensor) ? 'p' : ''}${type}:${shape}`
  }
  const parts = [...recording.pinned].map(tensorKey)
  for (const { name, commands } of recording.segments) {
    parts.push(name)
    for (const command of commands) {
      if ('fill' in command) parts.push(`fill ${tensorKey(command.fill)}`)
      else {
        const { kernel, params, tensors, grid } = command.dispatch
        parts.push(
          `k${kernelNumbers(kernel)}`,
          Object.values(params).join(),
          grid.join(),
          tensors.map(tensorKey).join(),
        )
      }
    }
  }
  return { key: parts.join('|'), tensors }
}

const kernelNumbers = numbering<Kernel>()
const bufferNumbers = numbering<GPUBuffer>()

/** Numbers objects in the order in which they are first seen, without keeping them alive. */
function numbering<Value extends object>(): (value: Value) => number {
  let count = 0
  const numbers = new WeakMap<Value, number>()
  return value => {
    const number = numbers.get(value) ?? ++count
    numbers.set(value, number)
    return number
  }
}
