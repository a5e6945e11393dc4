import type { Target } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { RowPair } from '../layers/gather.ts'
import type { SupervisedToken } from '../layers/head.ts'
import { featureShape, type Grid, gridOf, type ModelShape } from './shape.ts'

/** The token id that is replaced by the visual tokens of the clip. */
export const imagePlaceholderId = -200

/** The label of a position that is not supervised. */
export const ignoredLabel = -100

/** A prompt and its completions. */
export interface Sequence {
  /**
   * Token ids. Each `imagePlaceholderId` is replaced by visual tokens of the clip, in order: by all of them if there is one, by
   * equally many if there are several.
   */
  ids: readonly number[]
  /** Vision features of the clip, of shape `featureShape`. A prompt with the placeholder in `ids` needs `features` or `pixels`. */
  features?: Tensor
  /** (frames, channels, height, width): the vision tower then runs in the pass, so that it can be trained. */
  pixels?: Tensor
  /** Seconds from one moment of the clip to the next. Wanted where seconds take positions (`positionsPerSecond` of the tower's grid). */
  momentSeconds?: number
  /** For each of `ids`, the token that it should be, or `ignoredLabel`. */
  labels?: readonly number[]
  /** Each continues the prompt; all its tokens are supervised. */
  completions?: readonly (readonly number[])[]
}

/**
 * Sequences packed into one list of rows, without padding. A prompt is a segment, and so is each completion; the parent of
 * both is the prompt. A row attends to the earlier rows of its segment and to those of its parent: completions share one copy
 * of their prompt, and sequences do not see each other.
 *
 *   row       0  1  2 │ 3  4 │ 5  │ 6  7 │ 8 …
 *   token     p  q  r │ a  b │ x  │ s  t │ u …     two prompts, p q r and s t; completions a b c and x y of the first
 *   segment   0  0  0 │ 1  1 │ 2  │ 3  3 │ 4 …
 *   parent    0  0  0 │ 0  0 │ 0  │ 3  3 │ 3 …
 *   position  0  1  2 │ 3  4 │ 3  │ 0  1 │ 2 …
 *
 * The row of r predicts a and x, the row of a predicts b. The last tokens, c and y, predict nothing and get no row.
 *
 * Visual tokens with a grid have three positions: their moment's, and from it on their row and column. Text goes on after the
 * longest of the three. Here two rows of three tokens stand between p and q:
 *
 *   token     p │ v v v  v v v │ q
 *   position  0 │ 1 1 1  1 1 1 │ 4      in time
 *   row       0 │ 1 1 1  2 2 2 │ 4
 *   column    0 │ 1 2 3  1 2 3 │ 4
 *
 * If all moments stand in one place, seconds between them take positions in time. Two moments of one row, 4 positions apart:
 *
 *   token     p │ v v v  w w w │ q
 *   position  0 │ 1 1 1  5 5 5 │ 6
 *   row       0 │ 1 1 1  1 1 1 │ 6
 *   column    0 │ 1 2 3  1 2 3 │ 6
 */
export interface Packing {
  rows: number
  /** Row and id of each text token. */
  tokens: RowPair[]
  /** For each sequence, row and index of each visual token. */
  visual: RowPair[][]
  positions: number[]
  /** As `positions`, by row and by column of visual tokens. */
  gridRows: number[]
  gridColumns: number[]
  segments: number[]
  parents: number[]
  /** For each sequence, the last row of its prompt, which predicts the first token of each completion. */
  lastRows: number[]
  /** For each sequence, first row and number of rows of its prompt, and the position after it. */
  prompts: { start: number; length: number; next: number }[]
  /** Sequence by sequence: the labels of its prompt, then the tokens of its completions. */
  supervisedTokens: SupervisedToken[]
}

/** The packing of this use of a recording; the next use may put another of the same extents in its place. */
export interface Packed {
  packing: Packing
}

/** The visual tokens of a clip. */
export interface VisualTokens {
  count: number
  /** The tokens of one moment, where they have positions of their own. */
  grid?: Grid | undefined
  /** Positions in time from one moment to the next, where all moments stand in one place. */
  interval?: number | undefined
}

/**
 * Packs sequences whose clips have these visual tokens. A prompt with its visual tokens is truncated to `maxLength`
 * positions, as in the released system.
 */
export function pack(
  sequences: readonly Sequence[],
  visualTokensOf: (sequence: Sequence) => VisualTokens,
  maxLength: number,
): Packing {
  const packing: Packing = {
    rows: 0,
    tokens: [],
    visual: [],
    positions: [],
    gridRows: [],
    gridColumns: [],
    segments: [],
    parents: [],
    lastRows: [],
    prompts: [],
    supervisedTokens: [],
  }
  let segments = 0
  for (const sequence of sequences) {
    const prompt = segments++
    const start = packing.rows
    const addRow = (segment: number, position: number, row = position, column = position): number => {
      packing.positions.push(position)
      packing.gridRows.push(row)
      packing.gridColumns.push(column)
      packing.segments.push(segment)
      packing.parents.push(prompt)
      return packing.rows++
    }
    const visual: RowPair[] = []
    const labels: number[] = []
    const { count: atEach, grid, interval = 0 } = visualTokensAtEach(sequence, visualTokensOf)
    const isFull = () => packing.rows - start >= maxLength
    let next = 0
    sequence.ids.forEach((id, i) => {
      if (isFull()) return
      if (id !== imagePlaceholderId) {
        packing.tokens.push({ to: addRow(prompt, next++), from: id })
        labels.push(sequence.labels?.[i] ?? ignoredLabel)
        return
      }
      const first = next
      for (let v = 0; v < atEach && !isFull(); v++) {
        const place = grid && placeOf(v, grid, interval)
        const to = place
          ? addRow(prompt, first + place.time, first + place.row, first + place.column)
          : addRow(prompt, next++)
        visual.push({ to, from: visual.length })
        labels.push(ignoredLabel)
      }
      if (grid) next = first + Math.max(grid.rows, grid.columns, placeOf(atEach - 1, grid, interval).time + 1)
    })
    const length = packing.rows - start
    packing.visual.push(visual)
    packing.prompts.push({ start, length, next })
    packing.lastRows.push(packing.rows - 1)
    labels.forEach((target, i) => {
      if (i > 0 && target !== ignoredLabel) packing.supervisedTokens.push({ row: start + i - 1, target })
    })
    for (const completion of sequence.completions ?? []) {
      const segment = segments++
      completion.forEach((target, i) => {
        packing.supervisedTokens.push({ row: i === 0 ? start + length - 1 : packing.rows - 1, target })
        if (i + 1 < completion.length) packing.tokens.push({ to: addRow(segment, next + i), from: target })
      })
    }
  }
  return packing
}

/** The positions of a visual token after that of the first of its place; those in time are whole numbers in float32, as in transformers. */
function placeOf(v: number, { rows, columns }: Grid, interval: number) {
  const [moment, token] = [Math.floor(v / (rows * columns)), v % (rows * columns)]
  const time = Math.floor(Math.fround(moment * Math.fround(interval)))
  return { time, row: Math.floor(token / columns), column: token % columns }
}

/** Visual tokens in the place of each placeholder. */
function visualTokensAtEach(
  sequence: Sequence,
  visualTokensOf: (sequence: Sequence) => VisualTokens,
): VisualTokens {
  const places = sequence.ids.filter(id => id === imagePlaceholderId).length
  if (places === 0) return { count: 0 }
  const { count: all, grid, interval } = visualTokensOf(sequence)
  if (all % places !== 0)
    throw new Error(`${places} places for visual tokens must divide the ${all} visual tokens of a clip`)
  if (grid && interval === undefined && all / places !== grid.rows * grid.columns)
    throw new Error(
      `${places} places for visual tokens must be one for each moment of a clip with ${all} visual tokens, ${grid.rows} × ${grid.columns} of a moment`,
    )
  return { count: all / places, grid, interval }
}

/** For `pack`: the visual tokens that a model makes of a sequence's clip. */
export const visualTokensOf =
  ({ vision, connector }: Pick<ModelShape, 'vision' | 'connector'>) =>
  ({ features, pixels, momentSeconds }: Sequence): VisualTokens => {
    const shape = features?.shape ?? (pixels && featureShape(vision, pixels.shape))
    if (!shape) return { count: 0 }
    const count = connector.visualTokens(sizeOf(shape.slice(0, -1)))
    if (!vision.grid) return { count }
    const { positionsPerSecond } = vision.grid
    if (positionsPerSecond === undefined) return { count, grid: gridOf(shape) }
    if (momentSeconds === undefined)
      throw new Error('a prompt of this model must say how many seconds lie between the moments of its clip')
    return { count, grid: gridOf(shape), interval: positionsPerSecond * momentSeconds }
  }

/** The packing of sequences for a model, with empty rows as its device wants them. */
export function packFor(
  { shape, maxLength, device }: { shape: ModelShape; maxLength: number; device: Target },
  sequences: readonly Sequence[],
): Packed {
  return { packing: padded(pack(sequences, visualTokensOf(shape), maxLength), rowStep(device)) }
}

/** Rows and supervised tokens come in multiples of this many on a GPU: as many as a tile of products has. */
export const rowStep = ({ family }: Target): number => (family === 'gpu' ? 128 : 1)

/**
 * The packing with empty rows at its end, so that packings of similar lengths have the same extents. An empty row starts as
 * zeros and sees only empty ones; an empty supervised token is that of a row of zeros and must get a coefficient of 0. Results
 * are the same to the bit, except of up to 128 rows, where some sums depend on the number of rows: these are left as they are.
 */
export function padded(packing: Packing, step: number): Packing {
  const missing = (count: number) => (count <= 128 ? 0 : Math.ceil(count / step) * step - count)
  const supervised = missing(packing.supervisedTokens.length)
  const rows = Array.from({ length: missing(packing.rows) }, (_, i) => packing.rows + i)
  const segment = Math.max(...packing.segments) + 1
  return {
    ...packing,
    rows: packing.rows + rows.length,
    tokens: [...packing.tokens, ...rows.map(to => ({ to, from: -1 }))],
    positions: [...packing.positions, ...rows.map(() => 0)],
    gridRows: [...packing.gridRows, ...rows.map(() => 0)],
    gridColumns: [...packing.gridColumns, ...rows.map(() => 0)],
    segments: [...packing.segments, ...rows.map(() => segment)],
    parents: [...packing.parents, ...rows.map(() => segment)],
    supervisedTokens: [
      ...packing.supervisedTokens,
      ...Array.from({ length: supervised }, () => ({ row: -1, target: 0 })),
    ],
  }
}

/** Positions for which a recording of the packing has angles. */
export const positionRoom = ({ positions, gridRows, gridColumns }: Packing): number => {
  const last = [positions, gridRows, gridColumns].reduce((most, list) => list.reduce(larger, most), 0)
  return Math.ceil((last + 1) / 256) * 256
}

const larger = (a: number, b: number): number => Math.max(a, b)

/** What of a packing decides the commands of a recording; its lists decide only their contents. */
export const extentsOf = (packing: Packing): readonly number[] => [
  packing.rows,
  packing.supervisedTokens.length,
  positionRoom(packing),
  ...packing.visual.map(pairs => pairs.length),
]
