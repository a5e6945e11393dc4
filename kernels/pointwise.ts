import { once, targetKey } from './once.ts'
import { pack, spread } from './pack.ts'
import { type BufferSpec, type Kernel, kernel, type Plan } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

/** What happens to every element alike; all tensors but `tables` have the same size. */
export interface Pointwise {
  name: string
  reads?: Readonly<Record<string, Tensor>>
  writes: Readonly<Record<string, Tensor>>
  /** Read as single numbers, whatever the other tensors are packed in. */
  tables?: Readonly<Record<string, Tensor>>
  params?: Readonly<Record<string, number>>
  /** WGSL functions over `number`, which is f32 or vec4f. */
  functions?: string
  /** WGSL statements that run before the lane's elements; a `return` here leaves everything as it is. */
  before?: string
  /** WGSL statements for the pack at index `i`. */
  body: string
}

/** Runs `body` for every pack of the tensors. Throws when their sizes differ. */
export function pointwise(plan: Plan, of: Pointwise): void {
  const tensors = { ...of.reads, ...of.writes }
  const size = commonSize(of.name, Object.values(tensors))
  const { size: packed, element, declarations } = pack(size)
  const { width, repeat } = spread(plan.target)
  const keys = [of.reads, of.writes, of.tables, of.params].map(names => Object.keys(names ?? {}))
  const key = [targetKey(plan.target), of.name, packed, ...keys, of.before, of.body].join('|')
  const made = kernels(key, () => pointwiseKernel(of, { element, declarations, width, repeat }))
  plan.dispatch(made, {
    params: { count: size / packed, ...of.params },
    buffers: { ...tensors, ...of.tables },
    grid: Math.ceil(size / packed / (width * repeat)),
  })
}

const kernels = once<Kernel>()

function pointwiseKernel(
  of: Pointwise,
  {
    element,
    declarations,
    width,
    repeat,
  }: { element: string; declarations: string; width: number; repeat: number },
): Kernel {
  const specs = (names: object | undefined, spec: BufferSpec) =>
    Object.fromEntries(Object.keys(names ?? {}).map(name => [name, spec]))
  const buffers: Record<string, BufferSpec> = {
    ...specs(of.reads, { element, access: 'read' }),
    ...specs(of.writes, { element, access: 'write' }),
    ...specs(of.tables, { element: 'f32', access: 'read' }),
  }
  const floats = Object.keys(of.params ?? {}).map(name => [name, 'f32'] as const)
  const params: Record<string, 'u32' | 'f32'> = { count: 'u32', ...Object.fromEntries(floats) }
  const code = `${declarations}${of.functions ?? ''}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${of.before ?? ''}
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) {
    ${of.body}
  }
}`
  return kernel({ name: of.name, params, buffers, code })
}

function commonSize(name: string, tensors: readonly Tensor[]): number {
  const size = sizeOf(tensors[0].shape)
  const other = tensors.find(tensor => sizeOf(tensor.shape) !== size)
  if (other)
    throw new Error(
      `${name}: all tensors must have one size, got ${tensors.map(({ label, shape }) => `${label} (${shape.join(', ')})`).join(', ')}`,
    )
  return size
}
