// The GPUs that `--gpus` gives to workers.
import { choiceOf, type ListedAdapter, listAdapters, placed } from '../../kernels/device/adapters/list.ts'
import { UsageError } from './arguments.ts'

/** A GPU for a worker, as people know it, and the variables under which a process takes it. */
export interface Seat {
  readonly gpu: string
  readonly variables: Readonly<Record<string, string>>
}

/** The GPUs that a text names by numbers or PCI ids: 0,1 or 0-3. A GPU that is named twice gets two workers. */
export function gpusIn(text: string): string[] {
  return text.split(',').flatMap(word => {
    const [, first, last] = /^(\d{1,2})-(\d{1,2})$/.exec(word) ?? []
    if (first !== undefined && Number(first) <= Number(last))
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => String(Number(first) + i))
    if (/^\d{1,2}$/.test(word) || /^[\da-f:]+\.[0-7]$/i.test(word)) return [word]
    throw new UsageError(
      `--gpus: must be numbers or PCI ids in "flow adapters", e.g. 0,1 or 0-3, found "${text}"`,
    )
  })
}

/** Finds each GPU, and looks whether a process can take it among equal ones. */
export function seatsOf(gpus: readonly string[]): Seat[] {
  const list = listAdapters()
  const known = new Map<number, Seat>()
  return gpus.map(gpu => {
    const adapter = placed(gpu, list)
    const seat = known.get(adapter.index) ?? seatOf(adapter)
    known.set(adapter.index, seat)
    return seat
  })
}

function seatOf(adapter: ListedAdapter): Seat {
  const { name, variables } = choiceOf(adapter)
  const { index, pci } = adapter
  return {
    gpu: `GPU ${index} (${pci === undefined ? name : `${name}, ${pci}`})`,
    variables: { ...variables, FLOW_ADAPTER: name },
  }
}
