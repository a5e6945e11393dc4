// Sums over rows: the gradients of biases and gains, of which every row of a batch gives one part.
//
//              columns →
//   chunk 0  │ l0 l1 l2 l3 … │    each lane walks down one column of a chunk of 64 rows ↓
//            │ ↓  ↓  ↓  ↓    │
//   chunk 1  │ l0 l1 l2 l3 … │    many rows: the sums of the chunks are the rows of a second, shorter sum
//
// out[c] += Σ over r of x[r, c]. Lanes of a workgroup are neighbouring columns, so each step down reads one piece of memory.
// Chunks let a tall matrix use the whole GPU; atomic additions would do so too, but in an order that changes from run to
// run, and floating-point sums depend on their order. The reference is `columnSumReference`.

import { type BufferSpec, kernel, type Target, targetKey } from '../device/kernel.ts'
import { type FloatType, sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { asNumbers, elementOf, floatTypeOf, halfEnables } from '../wgsl/float16-stores.ts'
import { type Pack, spread, vectorise } from '../wgsl/packs.ts'

/** out[c] += Σ over r of x[r, c], for x (rows, columns): the gradient of a bias. */
export function columnSum(recording: Recording, { x, out }: { x: Tensor; out: Tensor }): void {
  columnSums(recording, { name: 'column_sum', reads: { x }, term: 'x[i]', out })
}

/** The same arithmetic as plain loops; `out` holds the values before. */
export function columnSumReference(x: ArrayLike<number>, out: ArrayLike<number>): number[] {
  const sums = Array.from(out)
  for (let i = 0; i < x.length; i++) sums[i % sums.length] += x[i]
  return sums
}

export interface ColumnSums {
  name: string
  /** (rows, columns), of float32 or float16 */
  reads: Readonly<Record<string, Tensor>>
  /** f32 tensors that the term reads as single numbers, such as one for each row. */
  tables?: Readonly<Record<string, Tensor>> | undefined
  /** WGSL: the term that the pack at index `i`, in row `row`, adds to its column. */
  term: string
  /** (columns): the sums are added to it */
  out: Tensor
}

/** Adds the sums of a term over rows to `out`, always in the same order. */
export function columnSums(recording: Recording, of: ColumnSums): void {
  const columns = sizeOf(of.out.shape)
  const rows = sizeOf(Object.values(of.reads)[0].shape) / columns
  const chunks = rows <= 2 * chunkRows ? 1 : Math.ceil(rows / chunkRows)
  if (chunks === 1) {
    dispatch(recording, of, { rows, columns, chunks, accumulate: true })
    return
  }
  const partials = recording.tensor(`${of.name} of chunks`, [chunks, columns])
  dispatch(recording, { ...of, out: partials }, { rows, columns, chunks, accumulate: false })
  columnSum(recording, { x: partials, out: of.out })
}

const chunkRows = 64

function dispatch(
  recording: Recording,
  { name, reads, tables, term, out }: ColumnSums,
  {
    rows,
    columns,
    chunks,
    accumulate,
  }: { rows: number; columns: number; chunks: number; accumulate: boolean },
): void {
  const { width } = spread(recording.target)
  const packs = columns / vectorise(columns).size
  const blocks = Math.ceil(packs / width)
  const of = { name, reads, tables, term }
  recording.dispatch(sumKernel(recording.target, of, vectorise(columns), accumulate), {
    params: { rows, columns: packs, chunks, blocks, chunk_rows: chunks === 1 ? rows : chunkRows },
    buffers: { ...reads, ...tables, sums: out },
    grid: chunks * blocks,
  })
}

const params = { rows: 'u32', columns: 'u32', chunks: 'u32', blocks: 'u32', chunk_rows: 'u32' } as const

function sumKernel(
  target: Target,
  { name, reads, tables, term }: Pick<ColumnSums, 'name' | 'reads' | 'tables' | 'term'>,
  { element, size, declarations }: Pack,
  accumulate: boolean,
) {
  const types = Object.entries(reads).map(([key, tensor]) => [key, floatTypeOf(tensor)] as const)
  const names = `${types} ${Object.keys(tables ?? {})}`
  return kernel([name, targetKey(target), element, names, term, accumulate], () => {
    const { width } = spread(target)
    const specs = (of: readonly (readonly [string, FloatType])[], packed: Pack['size']) =>
      Object.fromEntries(
        of.map(([key, type]): [string, BufferSpec] => {
          return [key, { element: elementOf(type, packed), access: 'read' }]
        }),
      )
    const buffers: Record<string, BufferSpec> = {
      ...specs(types, size),
      ...specs(
        Object.keys(tables ?? {}).map(key => [key, 'f32']),
        1,
      ),
      sums: { element, access: 'write' }, // (chunks, columns)
    }
    const code = `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = workgroup_index(id) / params.blocks;
  let c = workgroup_index(id) % params.blocks * ${width}u + lane;
  if (chunk >= params.chunks || c >= params.columns) { return; }
  let end = min((chunk + 1u) * params.chunk_rows, params.rows);
  let place = chunk * params.columns + c;
  var sum = ${accumulate ? 'sums[place]' : 'number()'};
  for (var row = chunk * params.chunk_rows; row < end; row++) {
    let i = row * params.columns + c;
    sum += ${asNumbers(term, reads)};
  }
  sums[place] = sum;
}`
    return { name, enables: halfEnables(reads), params, buffers, code }
  })
}
