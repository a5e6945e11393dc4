import type { Device } from '../device/device.ts'
import type { Kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { compile } from './compile.ts'
import type { CompiledRecording } from './compiled-recording.ts'
import { tensorsToPlace } from './memory.ts'
import type { Recording } from './recording.ts'

/** A compiled plan that nobody uses at present, with the tensors that it was made for. */
interface Idle {
  compiled: CompiledRecording
  tensors: readonly Tensor[]
  /** Whose constants it holds. */
  recording: Recording
  key: string
  owner: object
  label: string
}

/**
 * How much memory may wait to be used again: a third of what is in use, which is mostly weights. None where there are
 * no matrix units: there kernels take so long that it gains nothing.
 */
const mostIdle = ({ units, liveBytes }: Device): number =>
  units === 'none' ? 0 : Math.max(2 ** 28, liveBytes / 3)

/**
 * As `compile`, but what `free` gives back waits for the next plan that does the same with the same weights: recording
 * is cheap beside placing, binding and allocating. A pinned tensor without contents of its own then holds what the last
 * run left. The memory that waits counts as free: one plan of a label for each owner, e.g. a set of weights, and the
 * oldest goes when there is too much of it.
 */
export async function compileOrReuse(
  device: Device,
  recording: Recording,
  label: string,
  owner: object,
): Promise<CompiledRecording> {
  const { key, tensors } = signatureOf(recording)
  const waiting = idleRecordings.get(device) ?? []
  idleRecordings.set(device, waiting)
  const isAlike = (idle: Idle) => idle.owner === owner && idle.label === label
  const at = waiting.findIndex(idle => isAlike(idle) && idle.key === key)
  const found = waiting.splice(at, at < 0 ? 0 : 1).at(0)
  if (found) wake(device, found.compiled.bytes)
  else drop(device, isAlike)
  const own = found ?? { compiled: await compile(device, recording, label), tensors, recording }
  if (own.recording !== recording)
    for (const [tensor, data] of recording.constants)
      own.compiled.write(own.tensors[tensors.indexOf(tensor)], data)
  return own.compiled.rebind(own.tensors, tensors, () => {
    wake(device, -own.compiled.bytes)
    drop(device, isAlike)
    waiting.push({ compiled: own.compiled, tensors: own.tensors, recording, key, owner, label })
    drop(device, () => device.idleBytes > mostIdle(device))
  })
}

/** Gives back what waits to be used again by its owner, who ends. */
export function freeIdleRecordings(device: Device, owner: object): void {
  drop(device, idle => idle.owner === owner)
}

/** Asks about what waits from the oldest on, each when those before it are gone. */
function drop(device: Device, isOver: (idle: Idle) => boolean): void {
  const waiting = idleRecordings.get(device) ?? []
  for (const idle of [...waiting]) {
    if (!isOver(idle)) continue
    waiting.splice(waiting.indexOf(idle), 1)
    wake(device, idle.compiled.bytes)
    idle.compiled.free()
  }
}

function wake(device: Device, bytes: number): void {
  device.liveBytes += bytes
  device.idleBytes -= bytes
}

const idleRecordings = new WeakMap<Device, Idle[]>()

/** Two plans with one signature differ in nothing but the contents of their constants. */
function signatureOf(recording: Recording): Signature {
  const known = signatures.get(recording) ?? newSignature(recording)
  signatures.set(recording, known)
  return known
}

interface Signature {
  key: string
  /** The tensors that the plan has to place. */
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

/** Numbers objects in the order in which they are asked for; forgets those that are gone. */
function numbering<Value extends object>(): (value: Value) => number {
  let count = 0
  const known = new WeakMap<Value, number>()
  return value => {
    const number = known.get(value) ?? ++count
    known.set(value, number)
    return number
  }
}
