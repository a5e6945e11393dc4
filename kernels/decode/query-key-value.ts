import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted } from '../wgsl/float16-stores.ts'
import { countedIn, type Normed, normedRows, stepProduct, toRead, toWrite } from './product.ts'
import { blocksOfTile, type StepShape, type StepTile } from './product-tile.ts'
import type { StepMatrix, StepWeights } from './tiled-weights.ts'

// The inputs of attention in a decode step: queries, keys and values of normed rows in one product (product.ts), with bias and
// rotary embedding (attention/rope.ts). A tile has 8 columns of the first half of a head and the 8 of the second half that turn
// together with them, so a lane holds both numbers of a pair. Keys and values go straight into the cache. Where heads are
// normed first, head-norms.ts turns queries and keys after this.
//
//   columns   │ query heads │ key heads │ value heads │        tile:  │ j … j + 7 │ j + h … j + h + 7 │   h = headSize / 2

export interface AttentionInputs {
  x: Normed
  rows: number
  /** The weights in tiles. */
  tiled: Tensor
  /** (heads + 2 · keyValueHeads) · headSize: of queries, keys, values. */
  bias: Tensor
  /** What turns queries and keys; undefined: nothing here. */
  turns?: Turns | undefined
  /** u32 (rows): the step of each row. */
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

export interface Turns {
  /** (positions, headSize / 2, 2): cosines and sines. */
  angles: Tensor
  /** u32 (rows): the position of a row at step 0. */
  starts: Tensor
}

type InputSizes = Pick<AttentionInputs, 'heads' | 'keyValueHeads' | 'headSize' | 'tile'> & { inner: number }

/** A tile has numbers of one head, and those that turn with them. */
function inputShape({ heads, keyValueHeads, headSize, tile, inner }: InputSizes): StepShape {
  const results = blocksOfTile(tile) * 8
  const tilesOfHead = headSize / 2 / results
  return {
    name: 'decode_qkv',
    tile,
    inner,
    columnTiles: (heads + 2 * keyValueHeads) * tilesOfHead,
    types: { heads: 'u32', key_value_heads: 'u32', head_size: 'u32' },
    params: { heads, key_value_heads: keyValueHeads, head_size: headSize },
    locate: `
  let any_head = column_tile / ${tilesOfHead}u;
  let part = select(select(0u, 1u, any_head >= params.heads), 2u, any_head >= params.heads + params.key_value_heads);
  let head = any_head - select(select(0u, params.heads, part == 1u), params.heads + params.key_value_heads, part == 2u);
  let angle = column_tile % ${tilesOfHead}u * ${results}u;
  let half = params.head_size / 2u;
  let first = head * params.head_size + angle;
  let second = first + half;`,
  }
}

/** The weights of `attentionInputs`: (heads · headSize, inner) and so on. */
export const attentionInputWeights = (
  [query, key, value]: readonly StepMatrix[],
  of: InputSizes,
): StepWeights => {
  return {
    ...inputShape(of),
    weights: [
      ['query_weight', 'query_weight'],
      ['key_weight', 'key_weight'],
      ['value_weight', 'value_weight'],
    ],
    tensors: { query_weight: query, key_weight: key, value_weight: value },
  }
}

/** Queries, keys and values of normed rows, with bias and rotation; keys and values go into the slot of each row's step. */
export function attentionInputs(recording: Recording, of: AttentionInputs): void {
  const { x, rows, heads, keyValueHeads, headSize, capacity, tile, turns } = of
  const results = blocksOfTile(tile) * 8
  stepProduct(recording, {
    ...inputShape({ ...of, inner: x.size }),
    ...(!turns && { name: 'decode_qkv_plain' }),
    rows,
    results,
    tiled: of.tiled,
    ...normedRows(x),
    types: { heads: 'u32', key_value_heads: 'u32', head_size: 'u32', capacity: 'u32', sequences: 'u32' },
    params: {
      heads,
      key_value_heads: keyValueHeads,
      head_size: headSize,
      capacity,
      sequences: of.queries.shape[1],
    },
    buffers: {
      bias: toRead('f32', of.bias),
      ...(turns && { angles: toRead('vec2f', turns.angles), starts: toRead('u32', turns.starts) }),
      position: toRead('u32', of.position),
      queries: toWrite('f16', of.queries),
      cache: toWrite('f16', of.cache),
      ...countedIn(recording),
    },
    functions: counted(recording).functions,
    prepare: s => `
    let sequence${s} = min(row_base + row${s}, params.rows - 1u);
    let time${s} = position[sequence${s}];
    let bias_at${s} = any_head * params.head_size + angle + column${s};
    let biases${s} = vec2f(bias[bias_at${s}], bias[bias_at${s} + half]);
    ${turns ? `let turn${s} = angles[(starts[sequence${s}] + time${s}) * half + angle + column${s}];` : ''}`,
    finish: s => `
    if (row_base + row${s} < params.rows) {
      var pair = vec2f(sum_of(row${s}, column${s}), sum_of(row${s}, column${s} + ${results}u)) * scale_of(row${s}) + biases${s};
      ${turns ? `if (part < 2u) { pair = vec2f(pair.x * turn${s}.x - pair.y * turn${s}.y, pair.y * turn${s}.x + pair.x * turn${s}.y); }` : ''}
      let stored = vec2<f16>(kept2(pair));
      if (part == 0u) {
        let ratio = params.heads / params.key_value_heads;
        let to = ((head / ratio * params.sequences + sequence${s}) * ratio + head % ratio) * params.head_size + angle + column${s};
        queries[to] = stored.x;
        queries[to + half] = stored.y;
      } else if (time${s} < params.capacity) {
        let slot = ((part - 1u) * params.rows + sequence${s}) * params.capacity + time${s};
        let to = (slot * params.key_value_heads + head) * params.head_size + angle + column${s};
        cache[to] = stored.x;
        cache[to + half] = stored.y;
      }
    }`,
  })
}
