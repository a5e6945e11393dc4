import type { HostArray } from '../device/device.ts'
import type { Kernel, Target } from '../device/kernel.ts'
import type { ElementType, Tensor } from '../device/tensor.ts'

export interface Call<P extends string, B extends string> {
  params: Readonly<Record<P, number>>
  buffers: Readonly<Record<B, Tensor>>
  /** Workgroups. A number of any size is folded over x and y: the kernel asks `workgroup_index(id)`. */
  grid: number | readonly [number, number, number]
}

/** What matrix products round their factors to. Sums, norms, probabilities and losses are float32 always. */
export type Precision = 'float32' | 'float16'

/** One kernel with all that it is given. */
export interface Dispatch {
  kernel: Kernel
  params: Readonly<Record<string, number>>
  tensors: readonly Tensor[]
  grid: readonly [number, number, number]
}

/** What a plan lists: a dispatch, or a tensor to set to zero. */
export type Command = { dispatch: Dispatch } | { fill: Tensor }

/** Commands that can be run apart. */
export interface Segment {
  name: string
  commands: Command[]
}

/**
 * A list of dispatches over tensors, recorded once and replayed often. Tensors made by `tensor` have no place yet:
 * `compile` gives each one memory from its first to its last use, so that the peak is what is alive at once.
 */
export class Recording {
  /** What kernels are generated for. */
  readonly target: Target
  readonly precision: Precision
  /**
   * u32 (1): where kernels add how often what they rounded had to be cut to float16's range; by default nowhere. They do
   * where numbers become float16 first: left factors of products (eight neighbours at a time), results kept in float16,
   * copies, heads that attention reads as float32 and the slopes of its scores, rows of decode steps. Not counted, because it
   * cannot be: probabilities, and what attention gives, an average of numbers within the range. Nor right factors: they are
   * weights, or activations that are a left factor elsewhere; others has only attention with heads that 8 does not divide.
   */
  saturated: Tensor | undefined
  readonly segments: Segment[] = [{ name: 'main', commands: [] }]
  readonly pinned = new Set<Tensor>()
  readonly constants = new Map<Tensor, HostArray>()

  constructor(target: Target, precision: Precision = 'float32') {
    this.target = target
    this.precision = precision
  }

  /** What products round their factors to anyway: the type to keep what only products, and kernels that can, will read. */
  get factorType(): 'f16' | 'f32' {
    return this.precision === 'float16' && this.target.units !== 'none' ? 'f16' : 'f32'
  }

  /** A tensor that lives from its first to its last use in this plan. */
  tensor(label: string, shape: readonly number[], type: ElementType = 'f32'): Tensor {
    return { label, shape, type }
  }

  /** A tensor that keeps its place for the life of the compiled plan: what the host writes or reads, and state. */
  pin(label: string, shape: readonly number[], type: ElementType = 'f32'): Tensor {
    const tensor = this.tensor(label, shape, type)
    this.pinned.add(tensor)
    return tensor
  }

  /** A pinned tensor that starts with these contents: index lists, tables, state of a loop. */
  constant(label: string, shape: readonly number[], data: HostArray): Tensor {
    const tensor = this.pin(
      label,
      shape,
      data instanceof Uint32Array ? 'u32' : data instanceof Int32Array ? 'i32' : 'f32',
    )
    this.constants.set(tensor, data)
    return tensor
  }

  /** What follows can be run apart, under this name; tensors stay alive across segments in the order of recording. */
  segment(name: string): void {
    this.segments.push({ name, commands: [] })
  }

  dispatch<P extends string, B extends string>(of: Kernel<P, B>, call: Call<P, B>): void {
    const names = Object.keys(of.buffers) as B[] // the keys of the record are exactly B
    const grid = typeof call.grid === 'number' ? fold(call.grid) : call.grid
    if (grid.some(n => n === 0)) return
    this.#push({
      dispatch: { kernel: of, params: call.params, tensors: names.map(name => call.buffers[name]), grid },
    })
  }

  /** Sets every element to zero. */
  fill(tensor: Tensor): void {
    this.#push({ fill: tensor })
  }

  #push(command: Command): void {
    this.segments[this.segments.length - 1]?.commands.push(command)
  }
}

const foldedWidth = 32768

/** Over-dispatches the last row: kernels return when `workgroup_index` is past their count. */
const fold = (count: number): [number, number, number] =>
  count <= foldedWidth ? [count, 1, 1] : [foldedWidth, Math.ceil(count / foldedWidth), 1]
