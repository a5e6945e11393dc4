import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A GPU as the machine knows it, without Vulkan. */
export interface Card {
  readonly vendor: string
  /** Where the driver's tool tells it. */
  readonly name?: string
  readonly pci: string
  readonly memoryBytes?: number
}

/** NVIDIA's cards by its tool, those of others by the bus; in the order of their PCI ids, in which Vulkan lists equal ones. */
export function cards(environment: NodeJS.ProcessEnv, bus = '/sys/bus/pci/devices'): Card[] {
  return [...nvidiaCards(environment), ...busCards(bus)].sort((a, b) => (a.pci < b.pci ? -1 : 1))
}

/** A PCI id in the form that Linux uses: 0000:1b:00.0. */
export function pciOf(text: string): string | undefined {
  const [, domain = '0', bus, slot, port] =
    /^(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i.exec(text.trim()) ?? []
  if (bus === undefined || slot === undefined || port === undefined) return undefined
  const hex = (digits: string, length: number) =>
    Number.parseInt(digits, 16).toString(16).padStart(length, '0')
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${port}`
}

function nvidiaCards(environment: NodeJS.ProcessEnv): Card[] {
  const asked = ['--query-gpu=pci.bus_id,memory.total,name', '--format=csv,noheader,nounits']
  const { status, stdout } = spawnSync('nvidia-smi', asked, {
    encoding: 'utf8',
    timeout: 10_000,
    env: environment,
  })
  if (status !== 0) return []
  return stdout.split('\n').flatMap(line => {
    const [, place = '', mebibytes, name = ''] = /^([^,]+), ([^,]+), (.+)$/.exec(line.trim()) ?? []
    const pci = pciOf(place)
    if (pci === undefined) return []
    const bytes = Number(mebibytes) * 2 ** 20
    return [{ vendor: 'nvidia', name, pci, ...(bytes > 0 && { memoryBytes: bytes }) }]
  })
}

const vendors: Readonly<Record<string, string>> = { '0x1002': 'amd', '0x8086': 'intel' }

/** Displays and accelerators for graphics on the PCI bus; the amdgpu driver tells their memory in a file. */
function busCards(bus: string): Card[] {
  if (!existsSync(bus)) return []
  return readdirSync(bus).flatMap(place => {
    const read = (name: string) => {
      const file = join(bus, place, name)
      return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
    }
    const pci = pciOf(place)
    const vendor = vendors[read('vendor')]
    if (pci === undefined || vendor === undefined || !read('class').startsWith('0x03')) return []
    const memoryBytes = Number(read('mem_info_vram_total'))
    return [{ vendor, pci, ...(memoryBytes > 0 && { memoryBytes }) }]
  })
}
