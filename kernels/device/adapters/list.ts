// The adapters of this machine, and how one of them is chosen. Dawn's binding for Node takes the first adapter whose name
// contains a text, so equal ones are told apart outside it: by the file of the Vulkan driver, and by Mesa's layer.
import { spawnSync } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeviceError } from '../device-error.ts'
import { type Card, cards, pciOf } from './cards.ts'
import type { Probed } from './probed.ts'
import { driverFiles, hasSelectLayer } from './search-paths.ts'

export interface ListedAdapter extends Probed {
  readonly index: number
  /** Where the machine's tools tell which card it is. */
  readonly pci?: string
  readonly memoryBytes?: number
  /** The file of its Vulkan driver, on Linux. */
  readonly driverFile?: string
  /** Adapters of the same driver with the same name, itself included. */
  readonly equals: number
}

export interface AdapterList {
  readonly adapters: readonly ListedAdapter[]
  /** The one that flow takes when none is chosen. */
  readonly usual?: ListedAdapter
}

const ownName = fileURLToPath(import.meta.url)
const probeSeconds = 60

/** Lists the adapters in another process; hardware comes first, equal ones in the order of their PCI ids. */
export function listAdapters(environment: NodeJS.ProcessEnv = process.env): AdapterList {
  const files = process.platform === 'linux' ? driverFiles(environment) : []
  const [all = [], ...each] = probe(['', ...files], environment)
  const known = cards(environment)
  const found = files.flatMap((driverFile, i) => withCards(each[i] ?? [], known, driverFile))
  const adapters = found
    .sort((a, b) => Number(a.software) - Number(b.software))
    .map((adapter, index) => ({ ...adapter, index }))
  const [first] = all
  const usual = adapters.find(
    ({ description, device, vendor }) =>
      description === first?.description && device === first.device && vendor === first.vendor,
  )
  return { adapters, ...(usual && { usual }) }
}

/** Names of the adapters that Dawn sees under an environment, equal ones too. */
export function visibleNames(environment: NodeJS.ProcessEnv): string[] {
  const [line] = probed([], environment)
  return line === undefined ? [] : JSON.parse(line)
}

/** A line for each driver; a driver that takes the process down has no adapters. */
function probe(drivers: readonly string[], environment: NodeJS.ProcessEnv): Probed[][] {
  const found: Probed[][] = []
  while (found.length < drivers.length) {
    const lines = probed(drivers.slice(found.length), environment)
    found.push(...lines.map((line): Probed[] => JSON.parse(line)))
    if (found.length < drivers.length) found.push([])
  }
  return found
}

function probed(words: readonly string[], environment: NodeJS.ProcessEnv): string[] {
  const script = ownName.replace(/list\.(js|ts)$/, `probe${extname(ownName)}`)
  // what runs TypeScript; the rest, e.g. a script of --eval, is not for another process
  const flags = ownName.endsWith('.ts') ? process.execArgv : []
  const { stdout } = spawnSync(process.execPath, [...flags, script, ...words], {
    encoding: 'utf8',
    env: environment,
    timeout: probeSeconds * 1000,
    maxBuffer: 2 ** 24,
  })
  return (stdout ?? '').split('\n').filter(line => line.startsWith('['))
}

/** Cards belong to adapters of their name, in order, where their numbers agree; else it is not known which is which. */
export function withCards(
  probed: readonly Probed[],
  known: readonly Card[],
  driverFile: string,
): Omit<ListedAdapter, 'index'>[] {
  const seen = new Map<string, number>()
  return probed.map(one => {
    const equals = probed.filter(({ name }) => name === one.name).length
    const place = seen.get(one.name) ?? 0
    seen.set(one.name, place + 1)
    const ofVendor = probed.filter(({ vendor }) => vendor === one.vendor).length
    const fits = known.filter(({ vendor, name }) =>
      name === undefined ? vendor === one.vendor && ofVendor === equals : name === one.name,
    )
    const card = fits.length === equals && !one.software ? fits[place] : undefined
    return {
      ...one,
      equals,
      driverFile,
      ...(card && { pci: card.pci }),
      ...(card?.memoryBytes !== undefined && { memoryBytes: card.memoryBytes }),
    }
  })
}

/** Whether a text means a place in the list or a PCI id, and not a part of a name. */
export const isPlace = (wanted: string): boolean => /^\d{1,2}$/.test(wanted) || pciOf(wanted) !== undefined

/** The adapter with this number or PCI id. */
export function placed(wanted: string, { adapters }: AdapterList): ListedAdapter {
  const pci = pciOf(wanted)
  const found = adapters.find(one => (pci === undefined ? one.index === Number(wanted) : one.pci === pci))
  if (found) return found
  const known = adapters.map(({ index, name, pci }) =>
    [index, name, pci].filter(part => part !== undefined).join(' '),
  )
  throw new DeviceError(
    'no-adapter',
    `no adapter has the number or PCI id "${wanted}"; there are: ${known.join(', ') || 'none'} ("flow adapters" lists them)`,
  )
}

/** The adapter that flow takes under FLOW_ADAPTER, and why. */
export function chosenIn(
  list: AdapterList,
  wanted: string | undefined,
): { readonly adapter: ListedAdapter; readonly why: string } {
  if (wanted && isPlace(wanted)) return { adapter: placed(wanted, list), why: `it is chosen by ${wanted}` }
  if (wanted) {
    const adapter = list.adapters.find(({ name }) => name.includes(wanted))
    if (adapter) return { adapter, why: `it is the first one whose name contains "${wanted}"` }
    throw new DeviceError('no-adapter', `no adapter has a name that contains "${wanted}"`)
  }
  const adapter = list.usual ?? list.adapters[0]
  if (!adapter) throw new DeviceError('no-adapter', 'there is no adapter')
  const rank = adapter.software ? 'there is no hardware adapter' : 'hardware comes before software'
  const equal = adapter.equals > 1 ? `; of ${adapter.equals} equal ones it is the first` : ''
  return { adapter, why: `Dawn gives it when asked for the fastest: ${rank}${equal}` }
}

/** What FLOW_ADAPTER and Vulkan's variables must be for this adapter; looks whether it is then the only visible one of its name. */
export function choiceOf(
  adapter: ListedAdapter,
  environment: NodeJS.ProcessEnv = process.env,
): { readonly name: string; readonly variables: Readonly<Record<string, string>> } {
  const { name, index, pci } = adapter
  const variables = environmentFor(adapter, environment)
  const equal = visibleNames({ ...environment, ...variables }).filter(one => one === name).length
  if (equal === 1) return { name, variables }
  const place = pci === undefined ? String(index) : `${index}, ${pci}`
  throw new DeviceError(
    'equal-adapters',
    `adapter "${name}" (${place}) must be the only visible one of its name when it is chosen, found ${equal}`,
  )
}

/** The variables under which Vulkan shows Dawn this adapter alone among equal ones. */
export function environmentFor(
  { name, driverFile, equals, pci }: Omit<ListedAdapter, 'index'>,
  environment: NodeJS.ProcessEnv,
): Record<string, string> {
  const driver = driverFile === undefined ? {} : { VK_DRIVER_FILES: driverFile }
  if (equals === 1) return driver
  const remedy =
    'install mesa-vulkan-drivers, or start flow in a container that has only this GPU, e.g. by "docker run --gpus device=0"'
  if (pci === undefined || driverFile === undefined)
    throw new DeviceError(
      'equal-adapters',
      `${equals} adapters are named "${name}", and no PCI id tells them apart: ${remedy}`,
    )
  if (!hasSelectLayer(environment))
    throw new DeviceError(
      'equal-adapters',
      `${equals} adapters are named "${name}", and VK_LAYER_MESA_device_select, which shows one by its PCI id, is not installed: ${remedy}`,
    )
  const [domain, bus, slot, port] = pci.split(/[:.]/)
  return {
    ...driver,
    DRI_PRIME: `pci-${domain}_${bus}_${slot}_${port}!`,
    MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: '1',
  }
}
