import { align, type Device, type Family, type HostArray, type MatrixUnits, placed } from './device.ts'
import { bytesOf, type ElementType, type Tensor } from './tensor.ts'

/** A compute kernel as data. `code` is WGSL with an entry point `main`; the plan writes the declarations before it. */
export interface Kernel<P extends string = string, B extends string = string> {
  readonly name: string
  /** Scalars, in `params.NAME`. */
  readonly params: Readonly<Record<P, 'u32' | 'i32' | 'f32'>>
  /** Storage arrays by name, in binding order: element type and whether the kernel writes it. */
  readonly buffers: Readonly<Record<B, BufferSpec>>
  /** WGSL directives such as `enable subgroups;`. */
  readonly enables?: string
  readonly code: string
}

export interface BufferSpec {
  readonly element: string
  readonly access: 'read' | 'write'
}

export interface Call<P extends string, B extends string> {
  params: Readonly<Record<P, number>>
  buffers: Readonly<Record<B, Tensor>>
  /** Workgroups. A number of any size is folded over x and y: the kernel asks `workgroup_index(id)`. */
  grid: number | readonly [number, number, number]
}

/** What matrix products round their factors to. Sums, norms, probabilities and losses are float32 always. */
export type Precision = 'float32' | 'float16'

/** Declares a kernel; the names of its params and buffers are checked at every dispatch. */
export const kernel = <P extends string, B extends string>(definition: Kernel<P, B>): Kernel<P, B> =>
  definition

/** What a kernel's WGSL depends on; a `Device` is one. */
export interface Target {
  readonly family: Family
  readonly units: MatrixUnits
  readonly subgroupSize: number
}

interface Dispatch {
  kernel: Kernel
  params: Readonly<Record<string, number>>
  tensors: readonly Tensor[]
  grid: readonly [number, number, number]
}

type Command = { dispatch: Dispatch } | { fill: Tensor }

interface Segment {
  name: string
  commands: Command[]
}

const foldedWidth = 32768

/**
 * A list of dispatches over tensors, recorded once and replayed often. Tensors made by `tensor` have no place yet:
 * `compile` gives each one memory from its first to its last use, so that the peak is what is alive at once.
 */
export class Plan {
  /** What kernels are generated for. */
  readonly target: Target
  readonly precision: Precision
  /** u32 (1): where products add how often eight neighbours of their left factor were cut to float16's range; by default nowhere. */
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

interface Step {
  pipeline: GPUComputePipeline
  bindings: GPUBindGroup
  grid: readonly [number, number, number]
}

type Ready = { step: Step } | { fill: GPUBuffer; at: number; bytes: number }

/** Places the plan's tensors, compiles its kernels and binds them. */
export async function compile(device: Device, plan: Plan, label: string): Promise<CompiledPlan> {
  const places = place(device, plan, label)
  const at = (tensor: Tensor): Tensor => (tensor.storage ? tensor : (places.tensors.get(tensor) ?? tensor))
  const dispatches = plan.segments.flatMap(s => s.commands).filter(c => 'dispatch' in c)
  const uniforms = device.gpu.createBuffer({
    label: `${label} uniforms`,
    size: Math.max(1, dispatches.length) * 256,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  })
  const scalars = new ArrayBuffer(Math.max(1, dispatches.length) * 256)
  let slot = 0
  const bind = async ({ kernel, params, tensors, grid }: Dispatch): Promise<{ step: Step }> => {
    const slices = tensors.map(tensor => {
      const { buffer, offsetBytes } = placed(at(tensor))
      return { buffer, offset: offsetBytes, size: Math.ceil(bytesOf(tensor) / 16) * 16 }
    })
    const offset = slot++ * 256
    writeScalars(new DataView(scalars, offset, 256), kernel, params, grid)
    const written = new Set(
      Object.values(kernel.buffers).flatMap((b, i) => (b.access === 'write' ? [slices[i]?.buffer] : [])),
    )
    // A buffer may not be read-only and writable in one dispatch, so inputs that share a buffer with an output are declared writable.
    const writable = slices.map((slice, i) => written.has(slice.buffer) || !tensors[i]?.storage)
    const pipeline = await device.pipeline(kernel, writable, () => declare(kernel, writable) + kernel.code)
    const entries = [
      { binding: 0, resource: { buffer: uniforms, offset, size: 256 } },
      ...slices.map((resource, i) => ({ binding: i + 1, resource })),
    ]
    const bindings = device.gpu.createBindGroup({
      label: kernel.name,
      layout: pipeline.bindings,
      entries,
    })
    return { step: { pipeline: pipeline.compiled, bindings, grid } }
  }
  const ready = async (command: Command): Promise<Ready> => {
    if ('dispatch' in command) return bind(command.dispatch)
    const { buffer, offsetBytes } = placed(at(command.fill))
    return { fill: buffer, at: offsetBytes, bytes: wordsOf(command.fill) }
  }
  const segments = new Map<string, Ready[]>()
  for (const { name, commands } of plan.segments) segments.set(name, await Promise.all(commands.map(ready)))
  device.gpu.queue.writeBuffer(uniforms, 0, scalars)
  for (const [tensor, data] of plan.constants) device.write(at(tensor), data)
  return new CompiledPlan(device, segments, places, uniforms)
}

/** A plan with memory and bindings, replayed in a tight loop. */
export class CompiledPlan {
  readonly device: Device
  readonly #segments: Map<string, Ready[]>
  readonly #places: Places
  readonly #uniforms: GPUBuffer
  readonly #release: (() => void) | undefined

  /** `release` is called in place of giving the memory back. */
  constructor(
    device: Device,
    segments: Map<string, Ready[]>,
    places: Places,
    uniforms: GPUBuffer,
    release?: () => void,
  ) {
    this.device = device
    this.#segments = segments
    this.#places = places
    this.#uniforms = uniforms
    this.#release = release
  }

  /** The same memory and bindings for a plan that differs in its tensors' identity only: `mine[i]` stands for `theirs[i]`. */
  standIn(mine: readonly Tensor[], theirs: readonly Tensor[], release: () => void): CompiledPlan {
    const tensors = new Map<Tensor, Tensor>()
    theirs.forEach((tensor, i) => {
      tensors.set(tensor, this.at(mine[i]))
    })
    const places = { tensors, buffers: this.#places.buffers }
    return new CompiledPlan(this.device, this.#segments, places, this.#uniforms, release)
  }

  /** Bytes of the memory that the plan's own tensors share. */
  get bytes(): number {
    return this.#places.buffers.reduce((sum, buffer) => sum + buffer.size, 0)
  }

  /** Runs the named segments (by default all, in order) in one submit. */
  run(names: readonly string[] = [...this.#segments.keys()]): void {
    const encoder = this.device.gpu.createCommandEncoder()
    let pass: GPUComputePassEncoder | undefined
    for (const name of names) {
      const commands = this.#segments.get(name)
      if (!commands) throw new Error(`no segment "${name}"; known: ${[...this.#segments.keys()].join(', ')}`)
      for (const command of commands) {
        if ('step' in command) {
          pass ??= encoder.beginComputePass()
          pass.setPipeline(command.step.pipeline)
          pass.setBindGroup(0, command.step.bindings)
          pass.dispatchWorkgroups(...command.step.grid)
          continue
        }
        pass?.end()
        pass = undefined
        encoder.clearBuffer(command.fill, command.at, command.bytes)
      }
    }
    pass?.end()
    this.device.gpu.queue.submit([encoder.finish()])
  }

  /** The same tensor with its place; only pinned tensors keep their contents between dispatches. */
  at(tensor: Tensor): Tensor {
    return tensor.storage ? tensor : (this.#places.tensors.get(tensor) ?? tensor)
  }

  write(tensor: Tensor, data: HostArray, at = 0): void {
    this.device.write(this.at(tensor), data, at)
  }

  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    return this.device.read(this.at(tensor))
  }

  readIntegers(tensor: Tensor): Promise<Int32Array<ArrayBuffer>> {
    return this.device.readIntegers(this.at(tensor))
  }

  free(): void {
    if (this.#release) {
      this.#release()
      return
    }
    for (const buffer of this.#places.buffers) this.device.free(buffer)
    this.#uniforms.destroy()
  }
}

interface Places {
  tensors: Map<Tensor, Tensor>
  buffers: GPUBuffer[]
}

/** Bytes of the memory that the plan's own tensors will share, found without a device. */
export const planBytes = (plan: Plan, maxBindingBytes: number): number =>
  layOut(plan, maxBindingBytes).slabs.reduce((sum, bytes) => sum + bytes, 0)

/** Bytes of each buffer, and where in them the tensors without storage lie. */
interface Layout {
  slabs: number[]
  found: Map<Tensor, { slab: number; offset: number }>
}

interface Life {
  tensor: Tensor
  first: number
  last: number
}

function place(device: Device, plan: Plan, label: string): Places {
  const { slabs, found } = layOut(plan, device.maxBindingBytes)
  const buffers = slabs.map((bytes, i) => device.allocate(`${label} ${i}`, bytes))
  const tensors = new Map<Tensor, Tensor>()
  for (const [tensor, { slab, offset }] of found)
    tensors.set(tensor, { ...tensor, storage: { buffer: buffers[slab], offsetBytes: offset } })
  return { tensors, buffers }
}

/** Gives every tensor without storage a place that overlaps no other tensor alive at the same time: largest first. */
function layOut(plan: Plan, maxBindingBytes: number): Layout {
  const lives = lifetimes(plan).sort((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor))
  const slabs: { end: number; taken: { life: Life; from: number; to: number }[] }[] = []
  const found = new Map<Tensor, { slab: number; offset: number }>()
  for (const life of lives) {
    const size = Math.max(256, align(bytesOf(life.tensor)))
    if (size > maxBindingBytes)
      throw new Error(
        `${life.tensor.label} (${life.tensor.shape}): ${size} bytes; a binding holds ${maxBindingBytes}`,
      )
    let done = false
    for (let slab = 0; !done; slab++) {
      slabs[slab] ??= { end: 0, taken: [] }
      const target = slabs[slab]
      const offset = gap(target.taken, life, size)
      if (offset + size > maxBindingBytes) continue
      target.taken.push({ life, from: offset, to: offset + size })
      target.end = Math.max(target.end, offset + size)
      found.set(life.tensor, { slab, offset })
      done = true
    }
  }
  return { slabs: slabs.map(slab => slab.end), found }
}

function gap(taken: readonly { life: Life; from: number; to: number }[], life: Life, size: number): number {
  const busy = taken
    .filter(t => t.life.first <= life.last && life.first <= t.life.last)
    .sort((a, b) => a.from - b.from)
  let offset = 0
  for (const { from, to } of busy) {
    if (from - offset >= size) break
    offset = Math.max(offset, to)
  }
  return offset
}

/** The tensors that the plan has to place, in the order in which they occur. */
export const ownTensors = (plan: Plan): Tensor[] => lifetimes(plan).map(life => life.tensor)

function lifetimes(plan: Plan): Life[] {
  const lives = new Map<Tensor, Life>()
  for (const tensor of plan.pinned) lives.set(tensor, { tensor, first: 0, last: Number.POSITIVE_INFINITY })
  let time = 0
  for (const command of plan.segments.flatMap(s => s.commands)) {
    for (const tensor of touched(command)) {
      if (tensor.storage) continue
      const life = lives.get(tensor)
      if (life) life.last = Math.max(life.last, time)
      else lives.set(tensor, { tensor, first: time, last: time })
    }
    time++
  }
  return [...lives.values()]
}

function touched(command: Command): readonly Tensor[] {
  return 'dispatch' in command ? command.dispatch.tensors : [command.fill]
}

/** The WGSL before a kernel's own code: directives, params and bindings. */
export function declare(kernel: Kernel, writable: readonly boolean[]): string {
  const params = Object.entries(kernel.params).map(([name, type]) => `  ${name}: ${type},`)
  const buffers = Object.entries(kernel.buffers).map(([name, { element }], i) => {
    return `@group(0) @binding(${i + 1}) var<storage, ${writable[i] ? 'read_write' : 'read'}> ${name}: array<${element}>;`
  })
  return `${kernel.enables ?? ''}
struct Params {
  grid_width: u32,
${params.join('\n')}
}
@group(0) @binding(0) var<uniform> params: Params;
${buffers.join('\n')}
fn workgroup_index(id: vec3u) -> u32 { return id.y * params.grid_width + id.x; }
`
}

function writeScalars(
  view: DataView,
  kernel: Kernel,
  params: Readonly<Record<string, number>>,
  grid: readonly number[],
): void {
  view.setUint32(0, grid[0] ?? 1, true)
  Object.entries(kernel.params).forEach(([name, type], i) => {
    const value = params[name]
    if (value === undefined || !Number.isFinite(value))
      throw new Error(`${kernel.name}: param ${name} must be a number, got ${value}`)
    if (type === 'f32') view.setFloat32(4 + i * 4, value, true)
    else if (type === 'i32') view.setInt32(4 + i * 4, value, true)
    else view.setUint32(4 + i * 4, value, true)
  })
}

/** What clearing and copying must span, a multiple of 4; nothing else lies in those last bytes. */
const wordsOf = (tensor: Tensor): number => Math.ceil(bytesOf(tensor) / 4) * 4

/** Over-dispatches the last row: kernels return when `workgroup_index` is past their count. */
const fold = (count: number): [number, number, number] =>
  count <= foldedWidth ? [count, 1, 1] : [foldedWidth, Math.ceil(count / foldedWidth), 1]
