import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { elementOf, floatTypeOf, type Stored, stored } from '../wgsl/float16-stores.ts'
import { spread, vectorise } from '../wgsl/packs.ts'

// Rotary position embedding (Su et al. 2021), in the order of Hugging Face's models: number j of a head turns together with number
// j + headSize / 2, by the angle of the row's position, whose cosines and sines come from a table (positions, headSize / 2):
//
//   head:   [ x₀ x₁ … │ x_h x_h₊₁ … ]      y_j   = x_j · cos − x_j₊h · sin
//             └────────┘ pairs              y_j₊h = x_j₊h · cos + x_j · sin,   h = headSize / 2
//
// One workgroup a row, its lanes stride over the pairs of all heads, four at a time where h allows. The gradient is the rotation
// by the opposite angle. The reference is `ropeReference`.

export interface Rope {
  /** (rows, width), f32 or f16: the first `heads` heads of each row are rotated in place. */
  x: Tensor
  /** u32 (rows) */
  positions: Tensor
  /** (maxPositions, headSize / 2) */
  cosines: Tensor
  sines: Tensor
  heads: number
  headSize: number
  /** Numbers in a row, a multiple of headSize; by default those of the heads. */
  width?: number
  /** Rotates backwards, which is also the gradient. */
  inverse: boolean
}

/** Rotates each pair (x[j], x[j + headSize / 2]) of a head by the angle of its row's position. Throws for an odd headSize. */
export function rope(
  recording: Recording,
  { x, positions, cosines, sines, heads, headSize, width = heads * headSize, inverse }: Rope,
): void {
  if (headSize % 2 !== 0) throw new Error(`rope: headSize must be even, got ${headSize}`)
  const half = headSize / 2
  if (width % headSize !== 0) throw new Error(`rope: width must be heads of ${headSize}, got ${width}`)
  const rows = sizeOf(x.shape) / width
  const kept = stored(recording, vectorise(half).size, { x })
  recording.dispatch(rotation(recording.target, half, kept, floatTypeOf(x)), {
    params: {
      rows,
      heads,
      stride: width / headSize,
      half: half / vectorise(half).size,
      direction: inverse ? -1 : 1,
    },
    buffers: { x, positions, cosines, sines, ...kept.buffers },
    grid: rows,
  })
}

/** The same arithmetic as plain loops, out of place. */
export function ropeReference(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  cosines: ArrayLike<number>,
  sines: ArrayLike<number>,
  {
    heads,
    headSize,
    width = heads * headSize,
    inverse,
  }: Pick<Rope, 'heads' | 'headSize' | 'width' | 'inverse'>,
): number[] {
  const half = headSize / 2
  const y = Array.from(x)
  for (let row = 0; row < positions.length; row++)
    for (let head = 0; head < heads; head++)
      for (let j = 0; j < half; j++) {
        const at = row * width + head * headSize + j
        const cosine = cosines[positions[row] * half + j]
        const sine = sines[positions[row] * half + j] * (inverse ? -1 : 1)
        y[at] = x[at] * cosine - x[at + half] * sine
        y[at + half] = x[at + half] * cosine + x[at] * sine
      }
  return y
}

// One workgroup a row: lanes stride over the pairs of all heads.
function rotation(target: Target, size: number, kept: Stored, type: FloatType) {
  const { width } = spread(target)
  const { element, declarations, size: packed } = vectorise(size)
  return kernel<'rows' | 'heads' | 'stride' | 'half' | 'direction', string>(
    ['rope', targetKey(target), packed, kept.key],
    () => ({
      name: 'rope',
      enables: kept.enables,
      params: { rows: 'u32', heads: 'u32', stride: 'u32', half: 'u32', direction: 'f32' }, // half a head in packs
      buffers: {
        x: { element: elementOf(type, packed), access: 'write' }, // (rows, stride, 2, half)
        positions: { element: 'u32', access: 'read' }, // (rows)
        cosines: { element, access: 'read' }, // (maxPositions, half)
        sines: { element, access: 'read' }, // (maxPositions, half)
        ...kept.specs,
      },
      code: `${declarations}${kept.functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let pairs = params.heads * params.half;
  let angles = positions[row] * params.half;
  for (var pair = lane; pair < pairs; pair += ${width}u) {
    let head = pair / params.half;
    let j = pair % params.half;
    let first = (row * params.stride + head) * 2u * params.half + j;
    let second = first + params.half;
    let cosine = cosines[angles + j];
    let sine = sines[angles + j] * params.direction;
    let a = number(x[first]);
    let b = number(x[second]);
    x[first] = stored_x(a * cosine - b * sine);
    x[second] = stored_x(b * cosine + a * sine);
  }
}`,
    }),
  )
}
