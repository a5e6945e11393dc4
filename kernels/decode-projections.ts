import { stepProduct } from './decode-product.ts'
import type { StepTile } from './decode-product-cut.ts'
import { withinFloat16 } from './matmul-variant.ts'
import type { Plan } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** Rows that were written with a scale of their own and still want their exact norm; see `squaresOf`. */
export interface Normed {
  /** Blocks of x · gain · the scale used; see `blocksOf`. */
  rows: Tensor
  squares: Tensor
  /** (padded rows), out: the exact scales, for who writes the next rows. */
  scales: Tensor
  /** Numbers of a row. */
  size: number
  epsilon: number
}

const read = (element: string, tensor: Tensor) => ({ element, access: 'read', tensor }) as const
const write = (element: string, tensor: Tensor) => ({ element, access: 'write', tensor }) as const
const matrix = 'vec4u'

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
  const results = tile.columnBlocks * 8
  const tilesOfHead = headSize / 2 / results
  const { kernel, ...call } = stepProduct({
    ...{ target: plan.target, name: 'decode_qkv', tile, rows, inner: x.size, results },
    columnTiles: (heads + 2 * keyValueHeads) * tilesOfHead,
    x: x.rows,
    ...{ squares: x.squares, norm: x },
    weights: [
      ['query_weight', 'query_weight'],
      ['key_weight', 'key_weight'],
      ['value_weight', 'value_weight'],
    ],
    types: { heads: 'u32', key_value_heads: 'u32', head_size: 'u32', capacity: 'u32', sequences: 'u32' },
    params: {
      ...{ heads, key_value_heads: keyValueHeads, head_size: headSize, capacity },
      sequences: of.queries.shape[1],
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
  let time = position[0];
  let any_head = column_tile / ${tilesOfHead}u;
  let part = select(select(0u, 1u, any_head >= params.heads), 2u, any_head >= params.heads + params.key_value_heads);
  let head = any_head - select(select(0u, params.heads, part == 1u), params.heads + params.key_value_heads, part == 2u);
  let angle = column_tile % ${tilesOfHead}u * ${results}u;
  let half = params.head_size / 2u;
  let first = head * params.head_size + angle;
  let second = first + half;`,
    prepare: s => `
    let sequence${s} = min(row_base + row${s}, params.rows - 1u);
    let bias_at${s} = any_head * params.head_size + angle + column${s};
    let biases${s} = vec2f(bias[bias_at${s}], bias[bias_at${s} + half]);
    let turn${s} = angles[(lengths[sequence${s}] + time) * half + angle + column${s}];`,
    finish: s => `
    if (row_base + row${s} < params.rows) {
      var pair = vec2f(sum_of(row${s}, column${s}), sum_of(row${s}, column${s} + ${results}u)) * scale_of(row${s}) + biases${s};
      if (part < 2u) { pair = vec2f(pair.x * turn${s}.x - pair.y * turn${s}.y, pair.y * turn${s}.x + pair.x * turn${s}.y); }
      let stored = vec2<f16>(${withinFloat16('pair', 'vec2f')});
      if (part == 0u) {
        let ratio = params.heads / params.key_value_heads;
        let to = ((head / ratio * params.sequences + sequence${s}) * ratio + head % ratio) * params.head_size + angle + column${s};
        queries[to] = stored.x;
        queries[to + half] = stored.y;
      } else if (time < params.capacity) {
        let slot = ((part - 1u) * params.rows + sequence${s}) * params.capacity + time;
        let to = (slot * params.key_value_heads + head) * params.head_size + angle + column${s};
        cache[to] = stored.x;
        cache[to + half] = stored.y;
      }
    }`,
  })
  plan.dispatch(kernel, call)
}

export interface AddProjection {
  /** Blocks of the rows to be projected. */
  from: Tensor
  inner: number
  /** float16 (columns, inner) */
  weight: Tensor
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
export function addProjection(plan: Plan, of: AddProjection): void {
  const { from, inner, weight, x, scales, gain, next, rows, columns, tile } = of
  const results = tile.columnBlocks * 16
  const { kernel, ...call } = stepProduct({
    ...{
      target: plan.target,
      name: 'decode_add',
      tile,
      rows,
      inner,
      results,
      columnTiles: columns / results,
    },
    x: from,
    squares: scales,
    weights: [['weight', 'weight']],
    types: { columns: 'u32' },
    params: { columns },
    buffers: {
      weight: read(matrix, weight),
      stream: write('f32', x),
      gain: read('f32', gain),
      next_rows: write('f16', next.rows),
      next_squares: write('f32', next.squares),
    },
    functions: `var<workgroup> written: array<f32, tile_rows * ${results}>;`,
    locate: locateWhole(results),
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
      next_rows[block_index(row_base + row${s}, first + column${s}, params.row_blocks)] = f16(${withinFloat16('normed')});
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
  plan.dispatch(kernel, call)
}

/** WGSL: the columns of a tile lie side by side. */
const locateWhole = (columns: number): string => `
  let part = 0u;
  let first = column_tile * ${columns}u;
  let second = first + ${columns / 2}u;`

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
  const results = tile.columnBlocks * 8
  const { kernel, ...call } = stepProduct({
    ...{ target: plan.target, name: 'decode_gated', tile, rows, inner: x.size, results },
    columnTiles: columns / results,
    x: x.rows,
    ...{ squares: x.squares, norm: x },
    weights: [['gate', 'up']],
    buffers: { gate: read(matrix, gate), up: read(matrix, up), out: write('f16', out) },
    locate: `
  let part = 0u;
  let first = column_tile * ${results}u;
  let second = first;`,
    prepare: () => '',
    finish: s => `
    if (row_base + row${s} < params.rows) {
      let scale = scale_of(row${s});
      let gated = sum_of(row${s}, column${s}) * scale;
      let value = gated / (1.0 + exp(min(-gated, 87.0))) * sum_of(row${s}, column${s} + ${results}u) * scale;
      out[block_index(row_base + row${s}, first + column${s}, params.row_blocks)] = f16(${withinFloat16('value')});
    }`,
  })
  plan.dispatch(kernel, call)
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
  const results = tile.columnBlocks * 16
  const { kernel, ...call } = stepProduct({
    ...{ target: plan.target, name: 'decode_logits', tile, rows, inner: x.size, results },
    columnTiles: Math.ceil(columns / results),
    x: x.rows,
    ...{ squares: x.squares, norm: x },
    weights: [['weight', 'weight']],
    ...(columns % results !== 0 && { weightRows: columns }),
    types: { columns: 'u32' },
    params: { columns },
    buffers: { weight: read(matrix, weight), logits: write('f32', logits) },
    locate: locateWhole(results),
    prepare: () => '',
    finish: s => `
    if (row_base + row${s} < params.rows && first + column${s} < params.columns) {
      logits[(row_base + row${s}) * params.columns + first + column${s}] = sum_of(row${s}, column${s}) * scale_of(row${s});
    }`,
  })
  plan.dispatch(kernel, call)
}
