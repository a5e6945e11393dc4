import type { Tensor } from '../device/tensor.ts'
import { derived } from '../plan/derived.ts'
import type { Recording } from '../plan/recording.ts'
import type { Mask } from './softmax.ts'

// Which tiles of keys attention has to look at. Under a causal mask over packed sequences a row sees earlier rows of its own segment
// and of its parent's, so most tiles of scores are empty; the host lists the others, as a sparse matrix in compressed rows:
//
//             key tiles
//             0 1 2 3                       ■ whole: every pair is seen, no mask needed
//   row     0 ▣                             ▣ partly: the top bit of its number is set, scores are masked one by one
//   tiles   1 ■ ▣              starts  0 1 3 5 7
//           2 ■   ▣            blocks  0▣ 0 1▣ 0 2▣ 0 3▣
//           3 ■     ▣

/** Blocks of keys that the rows of a tile see: what attention need not look at is not in the list. */
export interface VisibleBlocks {
  /** u32 (tiles + 1), rising: where each tile's blocks begin. */
  starts: Tensor
  /** u32: number of a block; the top bit says that some of its pairs are hidden. */
  blocks: Tensor
}

/** Set in a block's number where some of its keys are hidden from some of its rows. */
export const partly = 0x80000000

type CausalMask = Extract<Mask, { kind: 'causal' }>

interface Extents {
  rows: number
  keyRows: number
  rowTile: number
  keyTile: number
}

/**
 * For each tile of `rowTile` rows the tiles of `keyTile` keys that any of its rows sees, rising; with `transposed`, for
 * each tile of keys the tiles of rows that see it.
 */
export function visibleBlocks(
  recording: Recording,
  mask: CausalMask,
  extents: Extents,
  transposed: boolean,
): VisibleBlocks {
  // Every layer of a plan asks for the same lists.
  const known = made.get(mask.segments) ?? new Map<string, VisibleBlocks>()
  made.set(mask.segments, known)
  const key = JSON.stringify([extents, transposed])
  const found = known.get(key) ?? makeBlocks(recording, mask, extents, transposed)
  known.set(key, found)
  return found
}

const made = new WeakMap<Tensor, Map<string, VisibleBlocks>>()

function makeBlocks(
  recording: Recording,
  mask: CausalMask,
  extents: Extents,
  transposed: boolean,
): VisibleBlocks {
  const { rows, keyRows, rowTile, keyTile } = extents
  const [segments, parents] = [valuesOf(recording, mask.segments), valuesOf(recording, mask.parents)]
  const tiles = Math.ceil(transposed ? keyRows / keyTile : rows / rowTile)
  const lists = derived(segments, of => {
    const visible = listBlocks(of, parents(), extents)
    return transposed ? turned(visible, tiles) : visible
  })
  const starts = derived(lists, of => {
    const ends = new Uint32Array(tiles + 1)
    of.forEach((list, i) => {
      ends[i + 1] = ends[i] + list.length
    })
    return ends
  })
  const blocks = derived(lists, of => Uint32Array.from(of.flat()))
  return {
    starts: recording.input('visible starts', [tiles + 1], starts),
    blocks: recording.input('visible blocks', [mostBlocks(extents)], blocks),
  }
}

/** Blocks of a mask that hides nothing but later rows. */
function mostBlocks({ rows, keyRows, rowTile, keyTile }: Extents): number {
  let count = 0
  for (let end = rowTile; end < rows + rowTile; end += rowTile)
    count += Math.ceil(Math.min(end, rows, keyRows) / keyTile)
  return count
}

/** The visible blocks of each tile of rows. */
export function listBlocks(
  segments: ArrayLike<number>,
  parents: ArrayLike<number>,
  { rows, keyRows, rowTile, keyTile }: Extents,
): number[][] {
  const runs = runsOf(segments, keyRows)
  return Array.from({ length: Math.ceil(rows / rowTile) }, (_, tile) => {
    const seen = new Map<number, number>()
    const end = Math.min((tile + 1) * rowTile, rows)
    for (let row = tile * rowTile; row < end; row++) {
      const [own, parent] = [segments[row], parents[row]]
      for (const id of own === parent ? [own] : [own, parent])
        for (const run of runs.get(id) ?? []) {
          const last = Math.min(run.end, row + 1)
          for (let key = run.start; key < last; ) {
            const block = Math.floor(key / keyTile)
            const next = Math.min((block + 1) * keyTile, last)
            seen.set(block, (seen.get(block) ?? 0) + next - key)
            key = next
          }
        }
    }
    const whole = rowTile * keyTile
    return [...seen]
      .sort(([a], [b]) => a - b)
      .map(([block, pairs]) => (pairs === whole ? block : block + partly))
  })
}

/** Where rows of each segment lie, as runs of neighbours. */
function runsOf(segments: ArrayLike<number>, count: number): Map<number, { start: number; end: number }[]> {
  const runs = new Map<number, { start: number; end: number }[]>()
  for (let start = 0; start < count; ) {
    const id = segments[start]
    let end = start + 1
    while (end < count && segments[end] === id) end++
    runs.set(id, [...(runs.get(id) ?? []), { start, end }])
    start = end
  }
  return runs
}

function turned(lists: readonly number[][], count: number): number[][] {
  const result: number[][] = Array.from({ length: count }, () => [])
  lists.forEach((list, tile) => {
    for (const block of list) result[block % partly].push(block < partly ? tile : tile + partly)
  })
  return result
}

function valuesOf(recording: Recording, tensor: Tensor): () => ArrayLike<number> {
  const values = recording.contentsOf(tensor)
  if (!values) throw new Error(`${tensor.label}: attention in blocks needs a mask that the recording knows`)
  return values
}
