import type { Device } from '../device/device.ts'
import { bind, discard, type PreparedRecording, prepare, writeInputs } from './compile.ts'
import { CompiledRecording, type EncodableCommand } from './compiled-recording.ts'
import type { TensorMemory } from './memory.ts'
import { type Precision, Recording } from './recording.ts'

/** A recording that may exist already. */
export interface Reusable<Made> {
  /** The owner, e.g. a set of weights: `freeIdleRecordings` ends what is kept for it. */
  owner: object
  label: string
  /** Recordings of one owner, label and key have the same commands over the same tensors; only their inputs differ. */
  key: string
  precision: Precision
  /** Records it, and returns the tensors that its users need. */
  record(recording: Recording): Made
  /** Called for a recording that exists, before its inputs are written: makes them the ones of this use. */
  renew?(made: Made): void
}

/** A recording that is kept with its bindings. It has one user at a time. */
interface Kept {
  owner: object
  label: string
  key: string
  made: unknown
  prepared: PreparedRecording
  bound: { segments: Map<string, EncodableCommand[]>; slabs: readonly GPUBuffer[] } | undefined
  isTaken: boolean
}

/**
 * As `compile`, but for the first use of a key only: later ones find the recording placed and bound. Its memory is borrowed
 * and shared with other recordings, so a pinned tensor holds anything at the start, unless it is a constant or an input.
 */
export async function compileOrReuse<Made>(
  device: Device,
  of: Reusable<Made>,
): Promise<{ compiled: CompiledRecording; made: Made }> {
  const all = keptOn.get(device) ?? []
  keptOn.set(device, all)
  const isWanted = ({ owner, label, key, isTaken }: Kept) =>
    owner === of.owner && label === of.label && key === of.key && !isTaken
  const found = all.find(isWanted)
  const kept = found ?? anew(device, of)
  const made = kept.made as Made // one label of an owner is used by one function only
  kept.isTaken = true
  if (found) {
    device.countIdle(-found.prepared.contents.size)
    of.renew?.(made)
    writeInputs(device, found.prepared)
    all.splice(all.indexOf(found), 1)
  }
  all.push(kept)
  const slabs = kept.prepared.layout.slabs.map((bytes, i) =>
    device.borrow(`${of.label} ${i}`, bytes, kept.bound?.slabs[i]),
  )
  const release = () => {
    for (const slab of slabs) device.free(slab)
    kept.isTaken = false
    device.countIdle(kept.prepared.contents.size)
    if (all.includes(kept)) dropOldest(device, all)
    else discardIdle(device, kept)
  }
  try {
    const memory = { ...kept.prepared, slabs }
    const segments = await boundTo(device, kept, memory)
    return { compiled: new CompiledRecording(device, segments, memory, release), made }
  } catch (error) {
    release()
    throw error
  }
}

/** The commands bound to the memory: as last time, unless the slabs are others. */
async function boundTo(
  device: Device,
  kept: Kept,
  memory: TensorMemory,
): Promise<Map<string, EncodableCommand[]>> {
  const { bound } = kept
  const { slabs } = memory
  if (bound && slabs.every((slab, i) => slab === bound.slabs[i])) return bound.segments
  const segments = await bind(device, kept.prepared, memory)
  kept.bound = { segments, slabs }
  return segments
}

/** Frees what is kept for an owner, which ends; with the last owner also the memory that recordings shared. */
export function freeIdleRecordings(device: Device, owner: object): void {
  const all = keptOn.get(device) ?? []
  for (const kept of all.filter(one => one.owner === owner)) drop(device, all, kept)
  if (all.length === 0) device.freeIdle()
}

/** The most recordings that are kept; at the released size one takes 6 MB. Without matrix units lengths are not rounded up, so few are used again. */
const mostKept = ({ units }: Device): number => (units === 'none' ? 8 : 96)

const keptOn = new WeakMap<Device, Kept[]>()

function anew<Made>(device: Device, { owner, label, key, precision, record }: Reusable<Made>): Kept {
  const recording = new Recording(device, precision)
  const made = record(recording)
  const prepared = prepare(device, recording, label)
  return { owner, label, key, made, prepared, bound: undefined, isTaken: false }
}

/** The list starts with those whose last use is the longest ago. */
function dropOldest(device: Device, all: Kept[]): void {
  const free = all.filter(({ isTaken }) => !isTaken)
  for (const kept of free.slice(0, Math.max(0, all.length - mostKept(device)))) drop(device, all, kept)
}

/** One that is in use is discarded when its user frees it. */
function drop(device: Device, all: Kept[], kept: Kept): void {
  all.splice(all.indexOf(kept), 1)
  if (!kept.isTaken) discardIdle(device, kept)
}

function discardIdle(device: Device, { prepared }: Kept): void {
  device.countIdle(-prepared.contents.size)
  discard(device, prepared)
}
