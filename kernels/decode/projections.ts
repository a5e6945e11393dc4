import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted } from '../wgsl/float16-stores.ts'
import { countedIn, type Normed, normedRows, stepParts, stepProduct, toRead, toWrite } from './product.ts'
import { blocksOfTile, type StepShape, type StepTile } from './product-tile.ts'
import { blockRowsOf } from './row-blocks.ts'
import { addRows } from './split-rows.ts'
import type { StepMatrix, StepWeights } from './tiled-weights.ts'

// The products of a decode step besides those of attention's inputs, each a `stepProduct` (product.ts) with its own end:
//
//   addProjection     x += from · weightᵀ, then x · gain in blocks and the sums of squares that the next norm needs
//   gatedProjection   out = silu(x · gateᵀ) · (x · upᵀ), the SwiGLU of Shazeer (2020): a tile has 8 columns of each
//   stepLogits        logits = x · weightᵀ

function addShape({ inner, columns, tile }: Pick<AddProjection, 'inner' | 'columns' | 'tile'>): StepShape {
  const results = blocksOfTile(tile) * 16
  return { name: 'decode_add', tile, inner, columnTiles: columns / results, locate: locateWhole(results) }
}

/** The weights of an `addProjection` (columns, inner). */
export const addWeights = (
  weight: StepMatrix,
  of: Pick<AddProjection, 'inner' | 'columns' | 'tile'>,
): StepWeights => {
  return { ...addShape(of), weights: [['weight', 'weight']], tensors: { weight } }
}

/** The parts in which an `addProjection` leaves the sums of squares of its rows; undefined where it knows their exact norm. */
export const squareParts = (columns: number, tile: StepTile): number | undefined =>
  tile.divide === 'columns' ? undefined : columns / (16 * tile.columnBlocks)

export interface AddProjection {
  /** Blocks of the rows to be projected. */
  from: Tensor
  inner: number
  /** The weight in tiles. */
  tiled: Tensor
  /** (rows, columns), added to. */
  x: Tensor
  /** (padded rows): scales of the norm before, near enough to write `next` with. */
  scales: Tensor
  /** Gain of the norm that comes next: (columns). */
  gain: Tensor
  /** Filled with what that norm's reader needs; has squares of `squareParts`. */
  next: Normed
  rows: number
  columns: number
  tile: StepTile
}

/** x += from · weightᵀ, and what the next norm needs of x. */
export function addProjection(recording: Recording, of: AddProjection): void {
  const { from, x, gain, next, rows, columns, tile, tiled } = of
  const product = { ...addShape(of), rows, tiled, x: from, results: blocksOfTile(tile) * 16 }
  if (tile.divide === 'k') stepProduct(recording, { ...product, ...addEnds(recording, of, product.results) })
  else addRows(recording, { parts: stepParts(recording, product), x, gain, next, rows, columns })
}

/** The end of an `addProjection` whose workgroups make columns of a row, and do not know its norm. */
function addEnds(recording: Recording, { x, scales, gain, next, columns }: AddProjection, results: number) {
  if (!next.squares) throw new Error('decode_add: the next norm needs room for sums of squares')
  return {
    squares: scales,
    types: { columns: 'u32' } as const,
    params: { columns },
    buffers: {
      stream: toWrite('f32', x),
      gain: toRead('f32', gain),
      next_rows: toWrite('f16', next.rows),
      next_squares: toWrite('f32', next.squares),
      ...countedIn(recording),
    },
    functions: `${counted(recording).functions}
var<workgroup> written: array<f32, tile_rows * ${results}>;`,
    prepare: (s: string) => `
    let at${s} = min(row_base + row${s}, params.rows - 1u) * params.columns + first + column${s};
    let before${s} = stream[at${s}];
    let gain${s} = gain[first + column${s}];`,
    finish: (s: string) => `
    var value = 0.0;
    if (row_base + row${s} < params.rows) {
      value = before${s} + sum_of(row${s}, column${s});
      stream[at${s}] = value;
      let scale = scale_of(row${s});
      let normed = value * gain${s} * scale;
      next_rows[block_index(row_base + row${s}, first + column${s}, params.row_blocks)] = f16(kept(normed));
      if (first + column${s} == 0u) { next_squares[params.column_groups * padded + row_base + row${s}] = scale; }
    }
    written[row${s} * ${results}u + column${s}] = value * value;`,
    after: `
  workgroupBarrier();
  if (lane < tile_rows && row_base + lane < padded) {
    var total = 0.0;
    for (var c = 0u; c < ${results}u; c++) { total += written[lane * ${results}u + c]; }
    next_squares[column_tile * padded + row_base + lane] = total;
  }`,
  }
}

/** WGSL: the columns of a tile lie side by side. */
const locateWhole = (columns: number): string => `
  let part = 0u;
  let first = column_tile * ${columns}u;
  let second = first + ${columns / 2}u;`

type GatedSizes = Pick<GatedProjection, 'columns' | 'tile'> & { inner: number }

function gatedShape({ columns, tile, inner }: GatedSizes): StepShape {
  const results = blocksOfTile(tile) * 8
  return {
    name: 'decode_gated',
    tile,
    inner,
    columnTiles: columns / results,
    locate: `
  let part = 0u;
  let first = column_tile * ${results}u;
  let second = first;`,
  }
}

/**
 * The weights of a `gatedProjection` (columns, inner): a tile has 8 columns of the gate, and the same 8 of
 * the other.
 */
export const gatedWeights = (gate: StepMatrix, up: StepMatrix, of: GatedSizes): StepWeights => {
  return { ...gatedShape(of), weights: [['gate', 'up']], tensors: { gate, up } }
}

export interface GatedProjection {
  x: Normed
  rows: number
  /** The weights in tiles. */
  tiled: Tensor
  /** Blocks, out. */
  out: Tensor
  columns: number
  tile: StepTile
}

/** out = silu(x · gateᵀ) · (x · upᵀ) of normed rows, as blocks. */
export function gatedProjection(recording: Recording, of: GatedProjection): void {
  const { x, rows, out, tile } = of
  const results = blocksOfTile(tile) * 8
  stepProduct(recording, {
    ...gatedShape({ ...of, inner: x.size }),
    rows,
    results,
    tiled: of.tiled,
    ...normedRows(x),
    buffers: {
      out: toWrite('f16', out),
      ...countedIn(recording),
    },
    functions: counted(recording).functions,
    prepare: () => '',
    finish: s => `
    if (row_base + row${s} < params.rows) {
      let scale = scale_of(row${s});
      let gated = sum_of(row${s}, column${s}) * scale;
      let value = gated / (1.0 + exp(min(-gated, 87.0))) * sum_of(row${s}, column${s} + ${results}u) * scale;
      out[block_index(row_base + row${s}, first + column${s}, params.row_blocks)] = f16(kept(value));
    }`,
  })
}

type LogitsSizes = Pick<StepLogits, 'columns' | 'tile'> & { inner: number }

function logitsShape({ columns, tile, inner }: LogitsSizes): StepShape {
  const results = blocksOfTile(tile) * 16
  const columnTiles = Math.ceil(columns / results)
  return { name: 'decode_logits', tile, inner, columnTiles, locate: locateWhole(results) }
}

/** The weights of `stepLogits` (columns, inner). */
export const logitsWeights = (weight: StepMatrix, of: LogitsSizes): StepWeights => {
  const weightRows = of.columns % (blocksOfTile(of.tile) * 16) === 0 ? undefined : of.columns
  return { ...logitsShape(of), weights: [['weight', 'weight']], weightRows, tensors: { weight } }
}

export interface StepLogits {
  x: Normed
  rows: number
  /** The weight in tiles. */
  tiled: Tensor
  /** (rows, columns), out. */
  logits: Tensor
  columns: number
  tile: StepTile
}

/** logits = x · weightᵀ of normed rows. */
export function stepLogits(recording: Recording, of: StepLogits): void {
  const { x, rows, logits, columns, tile, tiled } = of
  const results = blocksOfTile(tile) * 16
  const product = { ...logitsShape({ ...of, inner: x.size }), rows, tiled, ...normedRows(x) }
  // Whole blocks of sums that need no scale are the logits.
  const isWhole = rows % blockRowsOf(rows) === 0 && columns % results === 0
  if (tile.divide === 'columns' && tile.splits === 1 && !x.squares && isWhole) {
    stepParts(recording, product, logits)
    return
  }
  stepProduct(recording, {
    ...product,
    results,
    types: { columns: 'u32' },
    params: { columns },
    buffers: { logits: toWrite('f32', logits) },
    prepare: () => '',
    finish: s => `
    if (row_base + row${s} < params.rows && first + column${s} < params.columns) {
      logits[(row_base + row${s}) * params.columns + first + column${s}] = sum_of(row${s}, column${s}) * scale_of(row${s});
    }`,
  })
}
