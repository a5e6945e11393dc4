// The GPUs that `--gpus` gives to workers.
import {
  choiceOf,
  isPlace,
  type ListedAdapter,
  listAdapters,
  placed,
} from '../../kernels/device/adapters/list.ts'
import { keepTurns } from '../../kernels/device/turn-line.ts'
import { UsageError } from './arguments.ts'

/** A GPU for a worker, as people know it, and the variables under which a process takes it. */
export interface Seat {
  readonly gpu: string
  /** As the command names it. */
  readonly place: string
  /** Its number in `flow adapters`. */
  readonly index: number
  readonly isSoftware: boolean
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
    const seat = known.get(adapter.index) ?? seatOf(adapter, gpu)
    known.set(adapter.index, seat)
    return { ...seat, place: gpu }
  })
}

function seatOf(adapter: ListedAdapter, place: string): Seat {
  const { name, variables } = choiceOf(adapter)
  const { index, pci, software: isSoftware } = adapter
  return {
    place,
    index,
    isSoftware,
    gpu: `GPU ${index} (${pci === undefined ? name : `${name}, ${pci}`})`,
    variables: { ...variables, FLOW_ADAPTER: name },
  }
}

/** Who takes the GPUs that a command names besides the process of the run. */
interface Crew {
  /** All learners: the first is the process of the run. */
  readonly learners: number
  readonly hasWorkers: boolean
}

/**
 * Lets processes of a run that share a GPU take turns, which a software adapter does not need. Returns the seats with where
 * they do, and what ends it.
 */
export async function shareGpus(
  seats: readonly Seat[],
  { learners, hasWorkers }: Crew,
): Promise<{ seats: readonly Seat[]; close(): void }> {
  const own = process.env.FLOW_ADAPTER
  const home = seats.find(({ place }) => place === own)?.index ?? indexOf(own)
  const others = Array.from({ length: learners - 1 }, (_, i) => seats[(i + 1) % seats.length]?.index)
  const users = [home, ...others, ...(hasWorkers ? seats.map(({ index }) => index) : [])]
  const isShared = (seat: Seat) => !seat.isSoftware && users.filter(index => index === seat.index).length > 1
  if (!seats.some(isShared)) return { seats, close: () => {} }
  const keeper = await keepTurns()
  // children inherit the variables of this process, so that each needs its own
  const line = (seat: Seat) => (isShared(seat) ? keeper.place(seat.index) : '')
  const first = seats.find(({ index }) => index === home)
  if (first) process.env.FLOW_TURNS = line(first)
  return {
    seats: seats.map(seat => ({ ...seat, variables: { ...seat.variables, FLOW_TURNS: line(seat) } })),
    close: () => keeper.close(),
  }
}

/** The number of a GPU that no seat names in the same way; listing takes a process. */
const indexOf = (place: string | undefined): number | undefined =>
  place !== undefined && isPlace(place) ? placed(place, listAdapters()).index : undefined
