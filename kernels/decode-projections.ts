import { type StepTile, stepProduct } from './decode-product.ts'
import { withinFloat16 } from './matmul-variant.ts'
import type { Plan } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** Rows that were written with a scale of their own and still want their exact norm; see `squaresOf`. */
export interface Normed {
  /** Blocks of x · gain · the scale used; see `blocksOf`. */
  rows: Tensor
  squares: Tensor
  /** Numbers of a row. */
  size: number
  epsilon: number
}

const read = (element: string, tensor: Tensor) => ({ element, access: 'read', tensor }) as const
const write = (element: string, tensor: Tensor) => ({ element, access: 'write', tensor }) as const
const matrix = 'vec4u'
/** Every row of the weights that is asked for exists. */
const unlimited = 0xffffffff

export interface AttentionInputs {
  x: Normed
  rows: number
  /** float16 (heads · headSize, inner) and so on. */
  queryWeight: Tensor
  keyWeight: Tensor
  valueWeight: Tensor
  /** (heads + 2 · keyValueHeads) · headSize: of queries, keys, values. */
  bias: Tensor
  /** (positions, headSize / 2, 2): cosines and sines. */
  angles: Tensor
  /** u32 (rows): the position of a row at step 0. */
  lengths: Tensor
  /** u32 (1): the step. */
  position: Tensor
  /** float16 (keyValueHeads, rows or more, heads / keyValueHeads, headSize), out. */
  queries: Tensor
  /** float16 (2, rows, capacity, keyValueHeads · headSize): keys and values; the slot of the step is written. */
  cache: Tensor
  heads: number
  keyValueHeads: number
  headSize: number
  capacity: number
  tile: StepTile
}

/** Queries, keys and values of normed rows, with bias and rotation; keys and values go into the cache. */
export function attentionInputs(plan: Plan, of: AttentionInputs): void {
  const { x, rows, heads, keyValueHeads, headSize, capacity, tile } = of
  const half = tile.columnBlocks * 8
  const tilesOfHead = headSize / 2 / half
  const { kernel, params, buffers, grid } = stepProduct({
    target: plan.target,
    name: 'decode_qkv',
    tile,
    rows,
    inner: x.size,
    columnTiles: (heads + 2 * keyValueHeads) * tilesOfHead,
    x: x.rows,
    squares: x.squares,
    weights: [
      ['query_weight', 'query_weight'],
      ['key_weight', 'key_weight'],
      ['value_weight', 'value_weight'],
    ],
    types: { heads: 'u32', key_value_heads: 'u32', head_size: 'u32', capacity: 'u32', sequences: 'u32' },
    params: {
      ...{
        heads,
        key_value_heads: keyValueHeads,
        head_size: headSize,
        capacity,
        sequences: of.queries.shape[1],
      },
      ...{ normed: x.size, epsilon: x.epsilon, weight_rows: unlimited },
    },
    buffers: {
      query_weight: read(matrix, of.queryWeight),
      key_weight: read(matrix, of.keyWeight),
      value_weight: read(matrix, of.valueWeight),
      bias: read('f32', of.bias),
      angles: read('vec2f', of.angles),
      lengths: read('u32', of.lengths),
      position: read('u32', of.position),
      queries: write('f16', of.queries),
      cache: write('f16', of.cache),
    },
    locate: `
  let any_head = column_tile / ${tilesOfHead}u;
  let part = select(select(0u, 1u, any_head >= params.heads), 2u, any_head >= params.heads + params.key_value_heads);
  let head = any_head - select(select(0u, params.heads, part == 1u), params.heads + params.key_value_heads, part == 2u);
  let angle = column_tile % ${tilesOfHead}u * ${half}u;
  let first = head * params.head_size + angle;
  let second = first + params.head_size / 2u;`,
    finish: `
  let time = position[0];
  let ratio = params.heads / params.key_value_heads;
  for (var i = lane; i < tile_rows * ${half}u; i += ${tile.subgroups * 32}u) {
    let row = i / ${half}u;
    let column = i % ${half}u;
    if (row_base + row >= params.rows) { break; }
    let sequence = row_base + row;
    let scale = scale_of(row);
    let at = any_head * params.head_size + angle + column;
    var a = sum_of(row, column) * scale + bias[at];
    var b = sum_of(row, column + ${half}u) * scale + bias[at + params.head_size / 2u];
    if (part < 2u) {
      let turn = angles[(lengths[sequence] + time) * (params.head_size / 2u) + angle + column];
      let c = a * turn.x - b * turn.y;
      b = b * turn.x + a * turn.y;
      a = c;
    }
    let low = f16(${withinFloat16('a')});
    let high = f16(${withinFloat16('b')});
    if (part == 0u) {
      let to = ((head / ratio * params.sequences + sequence) * ratio + head % ratio) * params.head_size + angle + column;
      queries[to] = low;
      queries[to + params.head_size / 2u] = high;
    } else if (time < params.capacity) {
      let slot = ((part - 1u) * params.rows + sequence) * params.capacity + time;
      let to = (slot * params.key_value_heads + head) * params.head_size + angle + column;
      cache[to] = low;
      cache[to + params.head_size / 2u] = high;
    }
  }`,
  })
  plan.dispatch(kernel, { params, buffers, grid })
}

export interface AddProjection {
  /** Blocks of the rows to be projected. */
  from: Tensor
  inner: number
  /** float16 (columns, inner) */
  weight: Tensor
  /** (rows, columns), added to. */
  x: Tensor
  /** The norm of x before; its scale is the one that `next` is written with. */
  before: Normed
  /** Gain of the norm that comes next: (columns). */
  gain: Tensor
  /** Filled with what that norm's reader needs. */
  next: { rows: Tensor; squares: Tensor }
  rows: number
  columns: number
  tile: StepTile
}

/** x += from · weightᵀ, and what the next norm needs of x. */
export function addProjection(plan: Plan, of: AddProjection): void {
  const { from, inner, weight, x, before, gain, next, rows, columns, tile } = of
  const wide = tile.columnBlocks * 16
  const { kernel, params, buffers, grid } = stepProduct({
    target: plan.target,
    name: 'decode_add',
    tile,
    rows,
    inner,
    columnTiles: columns / wide,
    x: from,
    squares: before.squares,
    weights: [['weight', 'weight']],
    types: { columns: 'u32' },
    params: { columns, normed: before.size, epsilon: before.epsilon, weight_rows: unlimited },
    buffers: {
      weight: read(matrix, weight),
      stream: write('f32', x),
      gain: read('f32', gain),
      next_rows: write('f16', next.rows),
      next_squares: write('f32', next.squares),
    },
    functions: `var<workgroup> written: array<f32, tile_rows * ${wide}>;`,
    locate: `
  let part = 0u;
  let first = column_tile * ${wide}u;
  let second = first + ${wide / 2}u;`,
    finish: `
  let padded = params.row_blocks * block_rows;
  let last = params.column_tiles * padded;
  for (var i = lane; i < tile_rows * ${wide}u; i += ${tile.subgroups * 32}u) {
    let row = i / ${wide}u;
    let column = first + i % ${wide}u;
    var value = 0.0;
    if (row_base + row < params.rows) {
      let at = (row_base + row) * params.columns + column;
      value = stream[at] + sum_of(row, i % ${wide}u);
      stream[at] = value;
      let scale = scale_of(row) * squares[params.square_parts * padded + row_base + row];
      let normed = value * gain[column] * scale;
      next_rows[block_index(row_base + row, column, params.row_blocks)] = f16(${withinFloat16('normed')});
      if (column_tile == 0u && column == 0u) { next_squares[last + row_base + row] = scale; }
    }
    written[i] = value * value;
  }
  workgroupBarrier();
  if (lane < tile_rows && row_base + lane < padded) {
    var squared = 0.0;
    for (var c = 0u; c < ${wide}u; c++) { squared += written[lane * ${wide}u + c]; }
    next_squares[column_tile * padded + row_base + lane] = squared;
  }`,
  })
  plan.dispatch(kernel, { params, buffers, grid })
}

export interface GatedProjection {
  x: Normed
  rows: number
  /** float16 (columns, inner) */
  gate: Tensor
  up: Tensor
  /** Blocks, out. */
  out: Tensor
  columns: number
  tile: StepTile
}

/** out = silu(x · gateᵀ) · (x · upᵀ) of normed rows, as blocks. */
export function gatedProjection(plan: Plan, of: GatedProjection): void {
  const { x, rows, gate, up, out, columns, tile } = of
  const half = tile.columnBlocks * 8
  const { kernel, params, buffers, grid } = stepProduct({
    target: plan.target,
    name: 'decode_gated',
    tile,
    rows,
    inner: x.size,
    columnTiles: columns / half,
    x: x.rows,
    squares: x.squares,
    weights: [['gate', 'up']],
    params: { normed: x.size, epsilon: x.epsilon, weight_rows: unlimited },
    buffers: { gate: read(matrix, gate), up: read(matrix, up), out: write('f16', out) },
    locate: `
  let part = 0u;
  let first = column_tile * ${half}u;
  let second = first;`,
    finish: `
  for (var i = lane; i < tile_rows * ${half}u; i += ${tile.subgroups * 32}u) {
    let row = i / ${half}u;
    let column = i % ${half}u;
    if (row_base + row >= params.rows) { break; }
    let scale = scale_of(row);
    let gated = sum_of(row, column) * scale;
    let value = gated / (1.0 + exp(min(-gated, 87.0))) * sum_of(row, column + ${half}u) * scale;
    out[block_index(row_base + row, first + column, params.row_blocks)] = f16(${withinFloat16('value')});
  }`,
  })
  plan.dispatch(kernel, { params, buffers, grid })
}

export interface StepLogits {
  x: Normed
  rows: number
  /** float16 (columns, inner) */
  weight: Tensor
  /** (rows, columns), out. */
  logits: Tensor
  columns: number
  tile: StepTile
}

/** logits = x · weightᵀ of normed rows. */
export function stepLogits(plan: Plan, of: StepLogits): void {
  const { x, rows, weight, logits, columns, tile } = of
  const wide = tile.columnBlocks * 16
  const { kernel, params, buffers, grid } = stepProduct({
    target: plan.target,
    name: 'decode_logits',
    tile,
    rows,
    inner: x.size,
    columnTiles: Math.ceil(columns / wide),
    x: x.rows,
    squares: x.squares,
    weights: [['weight', 'weight']],
    types: { columns: 'u32' },
    params: { columns, normed: x.size, epsilon: x.epsilon, weight_rows: columns },
    buffers: { weight: read(matrix, weight), logits: write('f32', logits) },
    locate: `
  let part = 0u;
  let first = column_tile * ${wide}u;
  let second = first + ${wide / 2}u;`,
    finish: `
  for (var i = lane; i < tile_rows * ${wide}u; i += ${tile.subgroups * 32}u) {
    let row = row_base + i / ${wide}u;
    let column = first + i % ${wide}u;
    if (row < params.rows && column < params.columns) {
      logits[row * params.columns + column] = sum_of(i / ${wide}u, i % ${wide}u) * scale_of(i / ${wide}u);
    }
  }`,
  })
  plan.dispatch(kernel, { params, buffers, grid })
}
