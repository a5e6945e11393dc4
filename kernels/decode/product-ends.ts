import { unroll } from '../wgsl/text.ts'
import type { CallOfEnds } from './product-call.ts'
import type { On, RowSizes, StepProduct } from './product-tile.ts'

// The ends of products of a decode step: from sums to the scales of their rows and to results.

/** Results that a lane prepares before the sums; more than that it prepares one by one after them. */
const mostPrepared = 4

/** Lanes of a workgroup. */
interface Lanes extends RowSizes {
  lanes: number
}

/** WGSL that comes with `scaleWgsl`. */
export const scaleDeclarations = ({ norm, squares }: StepProduct, { lanes, tileRows }: Lanes): string =>
  squares
    ? `
var<workgroup> scales: array<f32, ${tileRows}>;
${norm ? `var<workgroup> square_sums: array<f32, ${lanes}>;` : ''}
fn scale_of(row: u32) -> f32 { return scales[row]; }`
    : `
fn scale_of(row: u32) -> f32 { return 1.0; }`

/** Loads of squares of a lane that are made before the sums; more than that are made after them. */
const mostSquares = 8

/**
 * The scale of a row: `before` the sums, what is loaded for it, in flight together with the first weights; after the sums
 * `square` adds it up by lane; then, after a barrier, `scale` of the rows of `row_base` and those after it. `isFirst` says
 * which workgroup writes the exact ones.
 */
export function scaleWgsl(
  { norm, squares, target }: On<StepProduct>,
  { lanes, tileRows }: Lanes,
  isFirst: string,
): { before: string; square: string; scale: string } {
  const rowOfLane = 'min(row_base + lane % tile_rows, padded - 1u)'
  if (!squares) return { before: '', square: '', scale: '' }
  if (!norm) return { before: `let used = squares[${rowOfLane}];`, square: '', scale: 'scales[lane] = used;' }
  const parts = squares.shape[0] - 1
  const groups = lanes / tileRows
  const rounds = Math.ceil(parts / groups)
  const isShort = target.units === 'native' && rounds <= mostSquares
  const part = (i: number) => `lane / tile_rows + ${i * groups}u`
  const squareOf = (i: number) =>
    (i + 1) * groups <= parts
      ? `squares[(${part(i)}) * padded + ${rowOfLane}]`
      : `select(0.0, squares[min(${part(i)}, ${parts - 1}u) * padded + ${rowOfLane}], ${part(i)} < ${parts}u)`
  const loads = isShort ? unroll(rounds, i => `let square${i} = ${squareOf(i)};`) : []
  return {
    before: `let used = squares[params.square_parts * padded + ${rowOfLane}];
  ${loads.join(' ')}`,
    square: isShort
      ? `square_sums[lane] = ${unroll(rounds, i => `square${i}`).join(' + ')};`
      : `var squared = 0.0;
  for (var p = lane / tile_rows; p < params.square_parts; p += ${groups}u) { squared += squares[p * padded + ${rowOfLane}]; }
  square_sums[lane] = squared;`,
    scale: `var total = 0.0;
    for (var p = 0u; p < ${groups}u; p++) { total += square_sums[p * tile_rows + lane]; }
    let exact = inverseSqrt(total / f32(params.normed) + params.epsilon);
    scales[lane] = exact / used;
    if (${isFirst} && row_base + lane < padded) { exact_scales[row_base + lane] = exact; }`,
  }
}

/** What a kernel's call needs for the ends of a product. */
export function callOfEnds({ norm, squares, types, params, buffers }: StepProduct): CallOfEnds {
  return {
    params: {
      normed: norm?.size ?? 1,
      epsilon: norm?.epsilon ?? 0,
      square_parts: norm && squares ? squares.shape[0] - 1 : 0,
      ...params,
    },
    types: { normed: 'u32', epsilon: 'f32', square_parts: 'u32', ...types },
    buffers: {
      ...(squares && { squares: { element: 'f32', access: 'read', tensor: squares } as const }),
      ...(norm && { exact_scales: { element: 'f32', access: 'write', tensor: norm.scales } as const }),
      ...buffers,
    },
  }
}

/** The results of a tile that its `workers` make, `worker` one of them. Where they are few, their loads are made before the sums. */
export function resultsWgsl(
  of: On<StepProduct>,
  tileRows: number,
  [worker, workers]: readonly [worker: string, workers: number],
): { prepare: string; finish: string } {
  const { results, target } = of
  const items = Math.ceil((tileRows * results) / workers)
  const place = (suffix: string, item: string) =>
    `let row${suffix} = min((${item}) / ${results}u, tile_rows - 1u); let column${suffix} = (${item}) % ${results}u;`
  if (items > (target.units === 'native' ? mostPrepared : 1)) {
    const one = `${place('_', 'item')} ${of.prepare('_')} ${of.finish('_')}`
    const finish = `for (var item = ${worker}; item < ${tileRows * results}u; item += ${workers}u) { ${one} }`
    return { prepare: '', finish }
  }
  const lines = (of: (i: number) => string) => unroll(items, of).join('\n    ')
  return {
    prepare: lines(i => `${place(`_${i}`, `${worker} + ${i * workers}u`)} ${of.prepare(`_${i}`)}`),
    finish: lines(i => {
      const body = of.finish(`_${i}`)
      return (i + 1) * workers <= tileRows * results
        ? `{ ${body} }`
        : `if (${worker} + ${i * workers}u < ${tileRows * results}u) { ${body} }`
    }),
  }
}
