import { once, targetKey } from './once.ts'
import { pack, spread } from './pack.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

export interface Rope {
  /** (rows, heads · headSize), rotated in place. */
  x: Tensor
  /** u32 (rows) */
  positions: Tensor
  /** (maxPositions, headSize / 2) */
  cosines: Tensor
  sines: Tensor
  heads: number
  headSize: number
  /** Rotates backwards, which is also the gradient. */
  inverse: boolean
}

/** Rotates each pair (x[j], x[j + headSize / 2]) of a head by the angle of its row's position. */
export function rope(plan: Plan, { x, positions, cosines, sines, heads, headSize, inverse }: Rope): void {
  if (headSize % 2 !== 0) throw new Error(`rope: headSize must be even, got ${headSize}`)
  const half = headSize / 2
  const rows = sizeOf(x.shape) / (heads * headSize)
  plan.dispatch(rotation(plan.target, half), {
    params: { rows, heads, half: half / pack(half).size, direction: inverse ? -1 : 1 },
    buffers: { x, positions, cosines, sines },
    grid: rows,
  })
}

/** The same arithmetic as plain loops, out of place. */
export function ropeReference(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  cosines: ArrayLike<number>,
  sines: ArrayLike<number>,
  { heads, headSize, inverse }: { heads: number; headSize: number; inverse: boolean },
): number[] {
  const half = headSize / 2
  const y = Array.from(x)
  for (let row = 0; row < positions.length; row++)
    for (let head = 0; head < heads; head++)
      for (let j = 0; j < half; j++) {
        const at = (row * heads + head) * headSize + j
        const cosine = cosines[positions[row] * half + j]
        const sine = sines[positions[row] * half + j] * (inverse ? -1 : 1)
        y[at] = x[at] * cosine - x[at + half] * sine
        y[at + half] = x[at + half] * cosine + x[at] * sine
      }
  return y
}

const rotations = once<ReturnType<typeof rotationKernel>>()

function rotation(target: Target, size: number) {
  return rotations(`${targetKey(target)} ${size}`, () => rotationKernel(target, size))
}

// One workgroup a row: lanes stride over the pairs of all heads.
function rotationKernel(target: Target, size: number) {
  const { width } = spread(target)
  const { element, declarations } = pack(size)
  return kernel({
    name: 'rope',
    params: { rows: 'u32', heads: 'u32', half: 'u32', direction: 'f32' }, // half a head in packs
    buffers: {
      x: { element, access: 'write' }, // (rows, heads, 2, half)
      positions: { element: 'u32', access: 'read' }, // (rows)
      cosines: { element, access: 'read' }, // (maxPositions, half)
      sines: { element, access: 'read' }, // (maxPositions, half)
    },
    code: `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let pairs = params.heads * params.half;
  let angles = positions[row] * params.half;
  for (var pair = lane; pair < pairs; pair += ${width}u) {
    let head = pair / params.half;
    let j = pair % params.half;
    let first = (row * params.heads + head) * 2u * params.half + j;
    let second = first + params.half;
    let cosine = cosines[angles + j];
    let sine = sines[angles + j] * params.direction;
    let a = x[first];
    let b = x[second];
    x[first] = a * cosine - b * sine;
    x[second] = b * cosine + a * sine;
  }
}`,
  })
}
