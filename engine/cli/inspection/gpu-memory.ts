import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { cards } from '../../../kernels/device/adapters/cards.ts'
import { isPlace, listAdapters, placed } from '../../../kernels/device/adapters/list.ts'

/** Memory that the kernels of a run can use, and whose it is. */
export interface GpuMemory {
  name: string
  bytes: number
}

/**
 * The memory of the GPU that a run would take, asked of its driver's tools, so that no device is opened; of several, the
 * one that FLOW_ADAPTER numbers, or the largest whose name contains it. A machine without such a GPU computes in its main
 * memory. Undefined when there is a GPU that tells nothing.
 */
export function gpuMemory(environment: Readonly<Record<string, string | undefined>>): GpuMemory | undefined {
  const place = environment.FLOW_ADAPTER
  if (place !== undefined && isPlace(place)) {
    const { memoryBytes, software, name } = placed(place, listAdapters({ ...environment }))
    if (software) return { name: "this machine's main memory", bytes: hostBytes() }
    return memoryBytes === undefined ? undefined : { name, bytes: memoryBytes }
  }
  const wanted = (place ?? '').toLowerCase()
  const known = cards({ ...environment }).flatMap(({ name, vendor, pci, memoryBytes }) =>
    memoryBytes === undefined ? [] : [{ name: name ?? `${vendor} ${pci}`, bytes: memoryBytes }],
  )
  const named = known.filter(({ name }) => name.toLowerCase().includes(wanted))
  const [largest] = named.sort((a, b) => b.bytes - a.bytes)
  if (largest) return largest
  if (existsSync('/proc/driver/nvidia') && environment.FLOW_KERNELS !== 'cpu') return undefined
  return { name: "this machine's main memory", bytes: hostBytes() }
}

/** A container may have less than its machine. */
function hostBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
