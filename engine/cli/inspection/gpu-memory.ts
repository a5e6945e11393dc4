import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { isPlace, listAdapters, placed } from '../../../kernels/device/adapters/list.ts'

/** Memory that the kernels of a run can use, and whose it is. */
export interface GpuMemory {
  name: string
  bytes: number
}

/**
 * The memory of the GPU that a run would take, asked of its driver's tools, so that no device is opened; of several, the
 * one that FLOW_ADAPTER numbers, or the largest whose name contains it. A machine without such a GPU computes in its main memory. Undefined when there is
 * a GPU that tells nothing.
 */
export function gpuMemory(environment: Readonly<Record<string, string | undefined>>): GpuMemory | undefined {
  const place = environment.FLOW_ADAPTER
  if (place !== undefined && isPlace(place)) {
    const { memoryBytes, software, name } = placed(place, listAdapters({ ...environment }))
    if (software) return { name: "this machine's main memory", bytes: hostBytes() }
    return memoryBytes === undefined ? undefined : { name, bytes: memoryBytes }
  }
  const wanted = (place ?? '').toLowerCase()
  const cards = [...nvidiaCards(environment), ...amdCards()].filter(({ name }) =>
    name.toLowerCase().includes(wanted),
  )
  const [largest] = cards.sort((a, b) => b.bytes - a.bytes)
  if (largest) return largest
  if (existsSync('/proc/driver/nvidia') && environment.FLOW_KERNELS !== 'cpu') return undefined
  return { name: "this machine's main memory", bytes: hostBytes() }
}

function nvidiaCards(environment: Readonly<Record<string, string | undefined>>): GpuMemory[] {
  const asked = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits']
  const { status, stdout } = spawnSync('nvidia-smi', asked, {
    encoding: 'utf8',
    timeout: 10_000,
    env: environment,
  })
  if (status !== 0) return []
  return stdout.split('\n').flatMap(line => {
    const [, name, mebibytes] = /^(.+), (\d+)$/.exec(line.trim()) ?? []
    return name === undefined ? [] : [{ name, bytes: Number(mebibytes) * 2 ** 20 }]
  })
}

const drivers = '/sys/class/drm'

/** The amdgpu driver tells the memory of each card in a file. */
function amdCards(): GpuMemory[] {
  if (!existsSync(drivers)) return []
  return readdirSync(drivers).flatMap(card => {
    const file = join(drivers, card, 'device/mem_info_vram_total')
    return existsSync(file) ? [{ name: `AMD ${card}`, bytes: Number(readFileSync(file, 'utf8')) }] : []
  })
}

/** A container may have less than its machine. */
function hostBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
