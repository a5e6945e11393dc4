import type { Kernel, Target } from '../device/kernel.ts'
import type { ElementType, HostArray, Tensor } from '../device/tensor.ts'

export interface Call<P extends string, B extends string> {
  params: Readonly<Record<P, number>>
  buffers: Readonly<Record<B, Tensor>>
  /** Workgroups. A number of any size is folded over x and y: the kernel asks `workgroup_index(id)`. */
  grid: number | readonly [number, number, number]
}

/** What matrix products round their factors to. Sums, norms, probabilities and losses are float32 always. */
export type Precision = 'float32' | 'float16'

/** One kernel with its params, tensors and workgroups. */
export interface Dispatch {
  kernel: Kernel
  params: Readonly<Record<string, number>>
  tensors: readonly Tensor[]
  grid: readonly [number, number, number]
}

/** One entry of a recording: a dispatch, or a tensor to set to zero. */
export type Command = { dispatch: Dispatch } | { fill: Tensor }

/** Commands that can be run without those of other segments. */
export interface Segment {
  name: string
  commands: Command[]
}

/**
 * A list of dispatches over tensors, recorded once and replayed often. A tensor from `tensor` has no memory yet: `compile`
 * gives it memory from its first to its last use, so the peak is the size of the tensors that are alive together.
 */
export class Recording {
  /** The kind of GPU for which kernels are generated. */
  readonly target: Target
  readonly precision: Precision
  /**
   * u32 (1): a counter to which kernels add the number of values that they had to clamp to float16's range. Undefined: they
   * do not count. Values are counted where they are first rounded to float16: left factors of products (eight neighbours
   * count as one), results kept in float16, copies, float32 heads that attention reads, gradients of its scores, rows of
   * decode steps. Probabilities and the output of attention (an average of values within the range) cannot leave the range.
   * Right factors are not counted: they are weights, or activations that are also a left factor; the only others are those
   * of attention with a head size that 8 does not divide.
   */
  saturated: Tensor | undefined
  readonly segments: Segment[] = [{ name: 'main', commands: [] }]
  readonly pinned = new Set<Tensor>()
  /** Contents that never change. */
  readonly constants = new Map<Tensor, HostArray>()
  /** Contents that are written whenever the recording is compiled or reused. */
  readonly inputs = new Map<Tensor, () => Uint32Array<ArrayBuffer>>()

  constructor(target: Target, precision: Precision = 'float32') {
    this.target = target
    this.precision = precision
  }

  /** The type to which products round their factors: tensors that only products and the like read may be kept in it. */
  get factorType(): 'f16' | 'f32' {
    return this.precision === 'float16' && this.target.units !== 'none' ? 'f16' : 'f32'
  }

  /** A tensor that has memory from its first to its last use in this recording. */
  tensor(label: string, shape: readonly number[], type: ElementType = 'f32'): Tensor {
    return { label, shape, type }
  }

  /** A tensor that keeps its memory as long as the compiled recording lives: the host reads or writes it, or it is state. */
  pin(label: string, shape: readonly number[], type: ElementType = 'f32'): Tensor {
    const tensor = this.tensor(label, shape, type)
    this.pinned.add(tensor)
    return tensor
  }

  /** A tensor with contents that no kernel changes: index lists, tables. */
  constant(label: string, shape: readonly number[], data: HostArray): Tensor {
    const tensor = this.tensor(label, shape, typeOf(data))
    this.constants.set(tensor, data)
    return tensor
  }

  /**
   * A pinned u32 tensor that gets the values of `data` whenever the recording is compiled or reused: lists that depend on
   * the lengths of sequences, state of a loop. There may be fewer values than the tensor holds.
   */
  input(label: string, shape: readonly number[], data: () => Uint32Array<ArrayBuffer>): Tensor {
    const tensor = this.tensor(label, shape, 'u32')
    this.inputs.set(tensor, data)
    return tensor
  }

  /** The contents of a constant or an input; undefined for other tensors. */
  contentsOf(tensor: Tensor): (() => HostArray) | undefined {
    const constant = this.constants.get(tensor)
    return constant ? () => constant : this.inputs.get(tensor)
  }

  /** Starts a segment: later commands can be run by its name. Tensors stay alive across segments, in recording order. */
  segment(name: string): void {
    this.segments.push({ name, commands: [] })
  }

  dispatch<P extends string, B extends string>(of: Kernel<P, B>, call: Call<P, B>): void {
    const names = Object.keys(of.buffers) as B[] // the keys of the record are exactly B
    const grid = typeof call.grid === 'number' ? fold(call.grid) : call.grid
    expectWhole(of, call, names)
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

/** Throws where a call lacks a tensor, or its grid is no number of workgroups: plugins in JavaScript have no compiler. */
function expectWhole(of: Kernel, { buffers, grid }: Call<string, string>, names: readonly string[]): void {
  const missing = names.find(name => !Array.isArray(buffers[name]?.shape))
  if (missing !== undefined)
    throw new Error(
      `kernel "${of.name}": buffers.${missing} must be a tensor; the call has ${Object.keys(buffers).join(', ') || 'none'}`,
    )
  const other = names.find(name => {
    const float = floatOf(of.buffers[name].element)
    return float !== undefined && float !== buffers[name].type
  })
  if (other !== undefined) {
    const { element } = of.buffers[other]
    throw new Error(
      `kernel "${of.name}": buffers.${other} is of ${element}, so its tensor must hold ${floatOf(element)}; "${buffers[other].label}" holds ${buffers[other].type}`,
    )
  }
  const counts = typeof grid === 'number' ? [grid] : grid
  if (!Array.isArray(counts) || counts.some(count => !Number.isInteger(count) || count < 0))
    throw new Error(
      `kernel "${of.name}": grid must be a number of workgroups, or three of them, found ${grid}`,
    )
  if (counts.length > 1 && counts.some(count => count > mostWorkgroups))
    throw new Error(
      `kernel "${of.name}": grid must have at most ${mostWorkgroups} workgroups in each dimension, found ${grid}; one number of any size is folded over two`,
    )
}

/** The floats that a WGSL element consists of; undefined for integers, in which a kernel may read the bits of any type. */
const floatOf = (element: string): 'f16' | 'f32' | undefined => {
  if (/^(f32|vec[234](f|<f32>))$/.test(element)) return 'f32'
  return /^(f16|vec[234](h|<f16>))$/.test(element) ? 'f16' : undefined
}

/** In one dimension, on every GPU. */
const mostWorkgroups = 65535

const typeOf = (data: HostArray): ElementType => {
  if (data instanceof Uint32Array) return 'u32'
  return data instanceof Int32Array ? 'i32' : 'f32'
}

const foldedWidth = 32768

/** Over-dispatches the last row: kernels return when `workgroup_index` is past their count. */
const fold = (count: number): [number, number, number] =>
  count <= foldedWidth ? [count, 1, 1] : [foldedWidth, Math.ceil(count / foldedWidth), 1]
