import { withinFloat16 } from './matmul-variant.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

export interface Copy {
  /** f32 or f16 */
  from: Tensor
  /** f32 or f16 */
  into: Tensor
  /** First element of `into`. */
  at?: number
}

/** into[at + i] = from[i]; as float16 at most the largest one. */
export function copy(plan: Plan, { from, into, at = 0 }: Copy): void {
  const count = sizeOf(from.shape)
  if (at + count > sizeOf(into.shape))
    throw new Error(`copy: ${into.label} must hold ${at + count} elements, got (${into.shape})`)
  const size = count % 4 === 0 && at % 4 === 0 ? 4 : 1
  plan.dispatch(store(plan.target, size, typeOf(from), typeOf(into)), {
    params: { count: count / size, at: at / size },
    buffers: { source: from, into },
    grid: Math.ceil(count / size / (lanesOf(plan.target) * repeat)),
  })
}

type Type = 'f32' | 'f16'

const typeOf = ({ label, type }: Tensor): Type => {
  if (type === 'f32' || type === 'f16') return type
  throw new Error(`copy: ${label} must hold f32 or f16, got ${type}`)
}

const repeat = 8
const lanesOf = ({ family, subgroupSize }: Target): number => (family === 'cpu' ? subgroupSize : 256)

function store(target: Target, size: 1 | 4, from: Type, into: Type) {
  const lanes = lanesOf(target)
  const element = (type: Type) => (size === 4 ? `vec4<${type}>` : type)
  const value = `${element('f32')}(source[i])`
  return kernel({
    name: `copy_${from}_${into}`,
    enables: from === 'f16' || into === 'f16' ? 'enable f16;' : '',
    params: { count: 'u32', at: 'u32' },
    buffers: {
      source: { element: element(from), access: 'read' }, // (count)
      into: { element: element(into), access: 'write' }, // (at + count and more)
    },
    code: `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = workgroup_index(id) * ${lanes * repeat}u + lane;
  for (var i = first; i < min(first + ${lanes * repeat}u, params.count); i += ${lanes}u) {
    into[params.at + i] = ${into === 'f16' ? `${element('f16')}(${withinFloat16(value, element('f32'))})` : value};
  }
}`,
  })
}
