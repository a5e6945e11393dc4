import type { Tensor } from '../device/tensor.ts'
import { derived } from '../plan/derived.ts'
import type { Recording } from '../plan/recording.ts'
import type { Mask } from './softmax.ts'
import { listBlocks } from './visible-blocks.ts'

// Products on software adapters skip the part of attention that a causal mask hides. A tile of 16 rows sees few tiles of keys, and
// those are at most two runs of neighbours: the prompt, and the rows of its own completion.
//
//              keys                          runs of a tile of rows: [0, 32) and [64, 80)
//          ┌──┬──┬──┬──┬──┐
//   prompt │▓▓│  │  │  │  │                  What lies outside of the runs of a row's tile is never written and never read. All
//          │▓▓│▓▓│  │  │  │                  rows between the first and the last that see a tile of keys have it in their runs,
//   first  │▓▓│▓▓│▓▓│  │  │                  so that the sums over rows, of the gradients of keys, need one run only.
//          │▓▓│▓▓│▓▓│▓▓│  │
//   second │▓▓│▓▓│  │  │▓▓│
//          └──┴──┴──┴──┴──┘

/** Rows, and keys, of a tile. */
const tileSize = 16

/** u32 (tiles, 4) each: first and end of two runs, of which one or both may be empty. */
export interface VisibleRuns {
  /** For each tile of rows, the keys that any of them sees. */
  ofRows: Tensor
  /** For each tile of keys, the rows that see any of them. */
  ofKeys: Tensor
}

/** The runs of a causal mask over as many keys as rows, on a software adapter; undefined elsewhere. */
export function visibleRuns(recording: Recording, mask: Mask, rows: number): VisibleRuns | undefined {
  if (recording.target.family !== 'cpu' || mask.kind !== 'causal') return undefined
  const [segments, parents] = [mask.segments, mask.parents].map(list => recording.contentsOf(list))
  if (!segments || !parents) return undefined
  const known = runsOfMasks.get(mask.segments)
  if (known) return known
  const runs = derived(segments, list => runsOf(list, parents(), rows))
  const count = Math.ceil(rows / tileSize) * 4
  const result = {
    ofRows: recording.input('runs of rows', [count], () => runs().ofRows),
    ofKeys: recording.input('runs of keys', [count], () => runs().ofKeys),
  }
  runsOfMasks.set(mask.segments, result)
  return result
}

/** Every layer asks for the same ones. */
const runsOfMasks = new WeakMap<Tensor, VisibleRuns>()

/** The same as lists: the contents of the two tensors. */
export function runsOf(segments: ArrayLike<number>, parents: ArrayLike<number>, rows: number) {
  const extents = { rows, keyRows: rows, rowTile: tileSize, keyTile: tileSize }
  const seen = listBlocks(segments, parents, extents).map(list => new Set(list.map(block => block % 2 ** 31)))
  let ofRows = seen.map(blocks => twoRuns(blocks))
  let ofKeys = runsOfKeys(ofRows)
  for (let isWhole = false; !isWhole; ) {
    isWhole = true
    ofKeys.forEach(([from, to], key) => {
      for (let row = from; row < to; row++) {
        if (isIn(ofRows[row], key)) continue
        seen[row].add(key)
        isWhole = false
      }
    })
    ofRows = seen.map(blocks => twoRuns(blocks))
    ofKeys = runsOfKeys(ofRows)
  }
  const list = (tiles: readonly Run[][]) => {
    const values = new Uint32Array(tiles.length * 4)
    tiles.forEach((runs, i) => {
      for (const [r, [from, to]] of runs.entries())
        values.set([from * tileSize, Math.min(to * tileSize, rows)], i * 4 + r * 2)
    })
    return values
  }
  return { ofRows: list(ofRows), ofKeys: list(ofKeys.map(run => [run])) }
}

/** First tile and end. */
type Run = readonly [from: number, to: number]

const isIn = (runs: readonly Run[], tile: number): boolean =>
  runs.some(([from, to]) => from <= tile && tile < to)

/** Runs of neighbours among the tiles; what would be the third joins the second, with what lies between them. */
function twoRuns(tiles: ReadonlySet<number>): Run[] {
  const runs: [number, number][] = []
  for (const tile of [...tiles].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last && (last[1] === tile || runs.length === 2)) last[1] = tile + 1
    else runs.push([tile, tile + 1])
  }
  return runs
}

/** For each tile of keys, the tiles of rows from the first to the last that have it in a run. */
function runsOfKeys(ofRows: readonly Run[][]): Run[] {
  return ofRows.map((_, key): Run => {
    const rows = ofRows.flatMap((runs, row) => (isIn(runs, key) ? [row] : []))
    return rows.length === 0 ? [0, 0] : [Math.min(...rows), Math.max(...rows) + 1]
  })
}
