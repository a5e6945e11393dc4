import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted } from '../wgsl/float16-stores.ts'
import { countedIn, type Normed, normedRows, stepProduct, toRead, toWrite } from './product.ts'
import type { StepTile, StepWeights } from './product-tile.ts'

// The products of a decode step besides those of attention's inputs, each a `stepProduct` (product.ts) with its own end:
//
//   addProjection     x += from · weightᵀ, then x · gain in blocks and the sums of squares that the next norm needs
//   gatedProjection   out = silu(x · gateᵀ) · (x · upᵀ), the SwiGLU of Shazeer (2020): a tile has 8 columns of each
//   stepLogits        logits = x · weightᵀ

/** The weights of an `addProjection`. */
export function addWeights(of: Pick<AddProjection, 'weight' | 'inner' | 'columns' | 'tile'>): StepWeights {
  const { weight, inner, columns, tile } = of
  const results = tile.columnBlocks * 16
  return {
    name: 'decode_add',
    tile,
    inner,
    columnTiles: columns / results,
    weights: [['weight', 'weight']],
    tensors: { weight },
    locate: locateWhole(results),
  }
}

export interface AddProjection {
  /** Blocks of the rows to be projected. */
  from: Tensor
  inner: number
  /** float16 (columns, inner) */
  weight: Tensor
  /** The same in tiles: it is then read in its place. */
  tiled?: Tensor | undefined
  /** (rows, columns), added to. */
  x: Tensor
  /** (padded rows): scales of the norm before, near enough to write `next` with. */
  scales: Tensor
  /** Gain of the norm that comes next: (columns). */
  gain: Tensor
  /** Filled with what that norm's reader needs. */
  next: { rows: Tensor; squares: Tensor }
  rows: number
  columns: number
  tile: StepTile
}

/** x += from · weightᵀ, and what the next norm needs of x. */
export function addProjection(recording: Recording, of: AddProjection): void {
  const { from, x, scales, gain, next, rows, columns, tile } = of
  const results = tile.columnBlocks * 16
  const { kernel, ...call } = stepProduct({
    ...addWeights(of),
    target: recording.target,
    rows,
    results,
    tiled: of.tiled,
    x: from,
    squares: scales,
    types: { columns: 'u32' },
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
    prepare: s => `
    let at${s} = min(row_base + row${s}, params.rows - 1u) * params.columns + first + column${s};
    let before${s} = stream[at${s}];
    let gain${s} = gain[first + column${s}];`,
    finish: s => `
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
  })
  recording.dispatch(kernel, call)
}

/** WGSL: the columns of a tile lie side by side. */
const locateWhole = (columns: number): string => `
  let part = 0u;
  let first = column_tile * ${columns}u;
  let second = first + ${columns / 2}u;`

/** The weights of a `gatedProjection`: a tile has 8 columns of the gate, and the same 8 of the other. */
export function gatedWeights(
  of: Pick<GatedProjection, 'gate' | 'up' | 'columns' | 'tile'> & { inner: number },
): StepWeights {
  const { gate, up, columns, tile, inner } = of
  const results = tile.columnBlocks * 8
  return {
    name: 'decode_gated',
    tile,
    inner,
    columnTiles: columns / results,
    weights: [['gate', 'up']],
    tensors: { gate, up },
    locate: `
  let part = 0u;
  let first = column_tile * ${results}u;
  let second = first;`,
  }
}

export interface GatedProjection {
  x: Normed
  rows: number
  /** float16 (columns, inner) */
  gate: Tensor
  up: Tensor
  /** The same in tiles: they are then read in their place. */
  tiled?: Tensor | undefined
  /** Blocks, out. */
  out: Tensor
  columns: number
  tile: StepTile
}

/** out = silu(x · gateᵀ) · (x · upᵀ) of normed rows, as blocks. */
export function gatedProjection(recording: Recording, of: GatedProjection): void {
  const { x, rows, out, tile } = of
  const results = tile.columnBlocks * 8
  const { kernel, ...call } = stepProduct({
    ...gatedWeights({ ...of, inner: x.size }),
    target: recording.target,
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
  recording.dispatch(kernel, call)
}

/** The weights of `stepLogits`. */
export function logitsWeights(
  of: Pick<StepLogits, 'weight' | 'columns' | 'tile'> & { inner: number },
): StepWeights {
  const { weight, columns, tile, inner } = of
  const results = tile.columnBlocks * 16
  return {
    name: 'decode_logits',
    tile,
    inner,
    columnTiles: Math.ceil(columns / results),
    weights: [['weight', 'weight']],
    ...(columns % results !== 0 && { weightRows: columns }),
    tensors: { weight },
    locate: locateWhole(results),
  }
}

export interface StepLogits {
  x: Normed
  rows: number
  /** float16 (columns, inner) */
  weight: Tensor
  /** The same in tiles: it is then read in its place. */
  tiled?: Tensor | undefined
  /** (rows, columns), out. */
  logits: Tensor
  columns: number
  tile: StepTile
}

/** logits = x · weightᵀ of normed rows. */
export function stepLogits(recording: Recording, of: StepLogits): void {
  const { x, rows, logits, columns, tile } = of
  const results = tile.columnBlocks * 16
  const { kernel, ...call } = stepProduct({
    ...logitsWeights({ ...of, inner: x.size }),
    target: recording.target,
    rows,
    results,
    tiled: of.tiled,
    ...normedRows(x),
    types: { columns: 'u32' },
    params: { columns },
    buffers: { logits: toWrite('f32', logits) },
    prepare: () => '',
    finish: s => `
    if (row_base + row${s} < params.rows && first + column${s} < params.columns) {
      logits[(row_base + row${s}) * params.columns + first + column${s}] = sum_of(row${s}, column${s}) * scale_of(row${s});
    }`,
  })
  recording.dispatch(kernel, call)
}
