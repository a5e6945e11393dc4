import * as op from './operations.ts'
import { constant, type Matrix, type Tape } from './tape.ts'

export interface InternVlSizes {
  hidden: number
  heads: number
  layers: number
  imageSize: number
  patchSize: number
  /** Features across a square that becomes one visual token. */
  scale: number
}

/** Tower and connector of InternVL as their specification reads: one frame, one head and one square after another. */
export function visualTokensOf(
  tape: Tape,
  weights: ReadonlyMap<string, Matrix>,
  sizes: InternVlSizes,
  { frames, pixels, fused }: { frames: number; pixels: Float64Array; fused: boolean },
): Matrix {
  const area = 3 * sizes.imageSize ** 2
  const all = Array.from({ length: frames }, (_, i) => {
    const tokens = tower(tape, weights, sizes, pixels.subarray(i * area, (i + 1) * area), fused)
    return connector(tape, weights, sizes, op.sliceRows(tape, tokens, 1, tokens.shape[0] - 1))
  })
  return op.concatRows(tape, all)
}

function tower(
  tape: Tape,
  weights: ReadonlyMap<string, Matrix>,
  { hidden, heads, layers, imageSize, patchSize }: InternVlSizes,
  frame: Float64Array,
  fused: boolean,
): Matrix {
  const at = layersOf(tape, weights, 'vision_tower._vision_tower.')
  const patches = at.linear(patchesOf(frame, imageSize, patchSize), 'embeddings.patch_embeddings.projection')
  let h = op.concatRows(tape, [at.weight('embeddings.cls_token'), patches])
  h = op.add(tape, h, at.weight('embeddings.position_embeddings'))
  for (let i = 0; i < layers; i++) {
    const block = layersOf(tape, weights, `vision_tower._vision_tower.encoder.layers.${i}.`)
    const x = block.norm(h, 'layernorm_before', 1e-6)
    const joint = fused && block.linear(x, 'attention.qkv')
    const [q, k, v] = ['q', 'k', 'v'].map((part, j) =>
      joint ? op.sliceColumns(tape, joint, j * hidden, hidden) : block.linear(x, `attention.${part}_proj`),
    )
    const mixed = block.linear(attention(tape, q, k, v, heads), 'attention.projection_layer')
    h = op.add(tape, h, scaled(tape, mixed, block.weight('lambda_1')))
    const wide = op.geluErf(tape, block.linear(block.norm(h, 'layernorm_after', 1e-6), 'mlp.fc1'))
    h = op.add(tape, h, scaled(tape, block.linear(wide, 'mlp.fc2'), block.weight('lambda_2')))
  }
  return h
}

/** Each square's features side by side, row by row; then a norm and two products. */
function connector(
  tape: Tape,
  weights: ReadonlyMap<string, Matrix>,
  { scale }: InternVlSizes,
  features: Matrix,
): Matrix {
  const across = Math.sqrt(features.shape[0])
  const squares: Matrix[] = []
  for (let y = 0; y < across; y += scale)
    for (let x = 0; x < across; x += scale) {
      const rows: number[] = []
      for (let dy = 0; dy < scale; dy++)
        for (let dx = 0; dx < scale; dx++) rows.push((y + dy) * across + x + dx)
      squares.push(
        op.concatColumns(
          tape,
          rows.map(row => op.sliceRows(tape, features, row, 1)),
        ),
      )
    }
  const at = layersOf(tape, weights, 'connector._connector.')
  const first = at.linear(at.norm(op.concatRows(tape, squares), 'layer_norm', 1e-5), 'linear_1')
  return at.linear(op.geluErf(tape, first), 'linear_2')
}

/** Each column times its own number. */
const scaled = (tape: Tape, x: Matrix, gain: Matrix): Matrix =>
  op.multiply(tape, x, op.gatherRows(tape, gain, new Array(x.shape[0]).fill(0)))

function attention(tape: Tape, q: Matrix, k: Matrix, v: Matrix, heads: number): Matrix {
  const size = q.shape[1] / heads
  const of = (x: Matrix, head: number) => op.sliceColumns(tape, x, head * size, size)
  const outputs = Array.from({ length: heads }, (_, head) => {
    const scores = op.scale(tape, op.matmul(tape, of(q, head), of(k, head), 'nt'), size ** -0.5)
    return op.matmul(
      tape,
      op.softmax(tape, scores, () => true),
      of(v, head),
      'nn',
    )
  })
  return op.concatColumns(tape, outputs)
}

function patchesOf(frame: Float64Array, size: number, patch: number): Matrix {
  const across = Math.floor(size / patch)
  const rows = Array.from({ length: across ** 2 }, (_, i) => {
    const [top, left] = [Math.floor(i / across) * patch, (i % across) * patch]
    return Array.from({ length: 3 * patch ** 2 }, (_, j) => {
      const [channel, inner] = [Math.floor(j / patch ** 2), j % patch ** 2]
      return frame[(channel * size + top + Math.floor(inner / patch)) * size + left + (inner % patch)]
    })
  })
  return constant([across ** 2, 3 * patch ** 2], Float64Array.from(rows.flat()))
}

function layersOf(tape: Tape, weights: ReadonlyMap<string, Matrix>, prefix: string) {
  const find = (name: string): Matrix => {
    const found = weights.get(prefix + name)
    if (!found) throw new Error(`no weight ${prefix}${name}`)
    return found
  }
  return {
    weight: find,
    linear: (x: Matrix, name: string): Matrix =>
      op.addBias(tape, op.matmul(tape, x, find(`${name}.weight`), 'nt'), find(`${name}.bias`)),
    norm: (x: Matrix, name: string, epsilon: number): Matrix =>
      op.layerNorm(tape, x, find(`${name}.weight`), find(`${name}.bias`), epsilon),
  }
}
