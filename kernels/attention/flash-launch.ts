import { largestFloat16 } from '../device/float16.ts'
import { type BufferSpec, kernel, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { withConstants } from '../wgsl/text.ts'
import { type AttentionShape, flashBlocks, type QueriesKeysValues } from './flash-shape.ts'
import { visibleBlocks } from './visible-blocks.ts'

// What the kernels of flash attention share when they are recorded: bindings, params, and the memo of their text.

/** A kernel of attention in blocks, and how it is started. */
export interface FlashCall {
  /** Comes before the kind of mask and the size of heads. */
  name: string
  bindings: Bindings
  /** What changes the WGSL, besides the shape, the bindings and their names. */
  variant: unknown
  /** Tiles of rows, or of keys, of a head, and how many workgroups there are in all. */
  tiles: number
  workgroups: number
  scale: number
  /** Params of this kernel alone: u32. */
  params?: Readonly<Record<string, number>>
  code(): string
}

/**
 * Records a kernel of attention in blocks, written once for each variant. It has the params `count` (workgroups), `rows`,
 * `key_rows`, `tiles`, `scale`, `heads`, `ratio` (query heads of a key head), and of q, k and v each the length of a row
 * and the first column.
 */
export function flashKernel(
  recording: Recording,
  of: AttentionShape & QueriesKeysValues,
  call: FlashCall,
): void {
  const { bindings, params: own = {} } = call
  const { target } = recording
  const { rows, keyRows, mask, headSize } = of
  const name = `${call.name}_${mask.kind}_${headSize}`
  const fixed = fixedParams(of)
  const variant = JSON.stringify([call.variant, fixed])
  const flash = kernel<string, string>([name, targetKey(target), bindings.key, variant], () => ({
    name,
    enables: `${flashBlocks(target.units).enables}\n${flashDirectives}`,
    params: { ...sharedParams, ...Object.fromEntries(Object.keys(own).map(name => [name, u32])) },
    buffers: bindings.specs,
    code: withConstants(call.code(), fixed),
  }))
  const { workgroups, tiles, scale } = call
  recording.dispatch(flash, {
    params: { count: workgroups, rows, key_rows: keyRows, tiles, scale, ...own, ...fixed },
    buffers: bindings.tensors,
    grid: workgroups,
  })
}

const u32 = 'u32' as const

const sharedParams = {
  count: u32,
  rows: u32,
  key_rows: u32,
  tiles: u32,
  heads: u32,
  ratio: u32,
  scale: 'f32' as const,
  q_row: u32,
  q_column: u32,
  k_row: u32,
  k_column: u32,
  v_row: u32,
  v_column: u32,
}

/** Params that a model's widths decide, by name: kernels are compiled for them. */
function fixedParams(of: AttentionShape & QueriesKeysValues) {
  const { queries, keys, values, heads, keyValueHeads } = of
  return {
    heads,
    ratio: heads / keyValueHeads,
    q_row: queries.tensor.shape[1],
    q_column: queries.column ?? 0,
    k_row: keys.tensor.shape[1],
    k_column: keys.column ?? 0,
    v_row: values.tensor.shape[1],
    v_column: values.column ?? 0,
  }
}

/** WGSL directives besides those of the matrix units. */
const flashDirectives = `enable subgroups;
diagnostic(off, subgroup_uniformity);
diagnostic(off, chromium.subgroup_matrix_uniformity);`

/** What every kernel of attention in blocks reads: heads, and the lists of blocks that its tiles see. */
export function bindHeads(recording: Recording, of: AttentionShape & QueriesKeysValues, tiles: TileExtents) {
  const { mask, rows, keyRows } = of
  const bindings = new Bindings(recording.saturated)
  const names = {
    q: bindings.read('queries', of.queries.tensor),
    k: bindings.read('keys', of.keys.tensor),
    v: bindings.read('values', of.values.tensor),
  }
  const lists = (tensors: Record<string, Tensor>) => {
    for (const [name, tensor] of Object.entries(tensors))
      bindings.add(name, tensor, { element: 'u32', access: 'read' })
  }
  if (mask.kind === 'causal') {
    const { starts, blocks } = visibleBlocks(recording, mask, { rows, keyRows, ...tiles }, tiles.transposed)
    lists({ starts, blocks, segments: mask.segments, parents: mask.parents })
  }
  if (mask.kind === 'lengths') lists({ lengths: mask.lengths })
  return { bindings, names }
}

/** As `bindHeads`, with what the gradients of attention read besides: `g` names the gradient of its result. */
export function bindGradients(
  recording: Recording,
  of: AttentionShape & QueriesKeysValues & { dOut: Tensor; logSums: Tensor },
  dots: Tensor,
  tiles: TileExtents,
) {
  const { bindings, names } = bindHeads(recording, of, tiles)
  const g = bindings.read('gradients', of.dOut)
  for (const [name, tensor] of Object.entries({ logSums: of.logSums, dots }))
    bindings.add(name, tensor, { element: 'f32', access: 'read' })
  return { bindings, names: { ...names, g } }
}

/** Which rows and keys a workgroup goes through; `transposed` where it makes keys. */
export interface TileExtents {
  rowTile: number
  keyTile: number
  transposed: boolean
}

/** Tensors by name, each bound once: WebGPU lets no two writable bindings overlap, and columns may share a tensor. */
class Bindings {
  readonly tensors: Record<string, Tensor> = {}
  readonly specs: Record<string, BufferSpec> = {}
  readonly #names = new Map<Tensor, string>()
  readonly #counter: Tensor | undefined

  /** Counts numbers that are clamped to float16's range as it is read, where there is a counter. */
  constructor(counter: Tensor | undefined) {
    this.#counter = counter
  }

  /** The WGSL name of a tensor that is read 8 numbers at a time. */
  read(name: string, tensor: Tensor): string {
    const known = this.#names.get(tensor)
    if (known) return known
    this.#names.set(tensor, name)
    this.add(name, tensor, { element: tensor.type === 'f16' ? 'vec4u' : 'vec4f', access: 'read' })
    if (tensor.type === 'f32') this.counts()
    return name
  }

  add(name: string, tensor: Tensor, spec: BufferSpec): void {
    this.tensors[name] = tensor
    this.specs[name] = spec
  }

  /** Whether the kernel counts, in `saturated`. */
  counts(): boolean {
    if (this.#counter) this.add('saturated', this.#counter, { element: 'atomic<u32>', access: 'write' })
    return this.#counter !== undefined
  }

  /** What of the bindings changes a kernel: their names and elements. */
  get key(): string {
    return Object.entries(this.specs)
      .map(([name, { element }]) => `${name} ${element}`)
      .join(' ')
  }

  /** WGSL: `load_NAME(at)`, the 8 numbers from element `at` on, a multiple of 8, as float16. */
  get loads(): string {
    return [...this.#names]
      .map(([tensor, name]) => loadWgsl(name, tensor, this.#counter !== undefined))
      .join('')
  }
}

function loadWgsl(name: string, { type }: Tensor, counts: boolean): string {
  if (type === 'f16') return `\nfn load_${name}(at: u32) -> vec4u { return ${name}[at >> 3u]; }`
  return `
fn load_${name}(at: u32) -> vec4u {
  let low = ${name}[at >> 2u];
  let high = ${name}[(at >> 2u) + 1u];
  ${counts ? `if (any(max(abs(low), abs(high)) > vec4f(${largestFloat16}.0))) { atomicAdd(&saturated[0], 1u); }` : ''}
  return halves(low, high);
}`
}
