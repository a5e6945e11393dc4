import { chosenIn, type ListedAdapter, listAdapters } from '../../../kernels/device/adapters/list.ts'
import { showBytes } from '../../shared/bytes.ts'
import { table } from '../../shared/table.ts'
import { UsageError } from '../arguments.ts'
import { gpuFlag, type Verb } from '../verb.ts'

export const adapters: Verb = {
  summary: 'Lists the GPUs of this machine, and says which one flow would take and why.',
  usage: '',
  flags: {
    ...gpuFlag,
    json: { description: 'One JSON object a line, with features, matrix units and limits of each.' },
  },
  example: 'npx flow adapters',
  run: async (words, { environment, print, complain }) => {
    if (words.positional.length > 0)
      throw new UsageError(`must stand alone, found ${words.positional.join(' ')}`)
    const list = listAdapters({ ...environment })
    if (list.adapters.length === 0) {
      complain('no adapter')
      complain('    fix:  "flow set-up" installs a Vulkan driver')
      return 1
    }
    const { adapter, why } = chosenIn(list, environment.FLOW_ADAPTER)
    const isTaken = ({ index }: ListedAdapter) => index === adapter.index
    if (words.last('json') !== undefined)
      for (const one of list.adapters) print(JSON.stringify({ ...one, taken: isTaken(one) }))
    else {
      for (const line of table([titles, ...list.adapters.map(rowOf)])) print(line)
      print(`flow takes ${adapter.index}: ${why}`)
    }
    return 0
  },
}

const titles = ['gpu', 'name', 'PCI id', 'memory', 'buffers', 'f16', 'matrix units', 'driver', 'by']

function rowOf(one: ListedAdapter): string[] {
  const { index, name, pci, memoryBytes, limits, features, units, description, backend } = one
  return [
    String(index),
    name,
    pci ?? 'unknown',
    memoryBytes === undefined ? 'unknown' : showBytes(memoryBytes),
    `up to ${showBytes(Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize))}`,
    features.includes('shader-f16') ? 'yes' : 'no',
    units === 'native' ? 'yes' : 'no',
    description,
    backend,
  ]
}
