import { type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { unroll } from '../wgsl/text.ts'
import {
  access,
  blockOfInner,
  buffers,
  enablesOf,
  locate,
  nameOf,
  params,
  type Tiling,
  type Variant,
} from './variant.ts'

// Products for software adapters, where a load costs as much as 24 multiply-adds and a barrier far more: no workgroup memory, and
// every load is used as often as possible. A workgroup is one subgroup (here of 4 lanes, l0 to l3), and makes up to 16 rows:
//
//                    columns
//               ┌────┬────┬────┬────┐
//     l0 loads →│    │    │    │    │   Lane i loads row i of a, four k at once, and broadcasts each number to all lanes;
//     l1 loads →│ l0 │ l1 │ l2 │ l3 │   each lane has its own columns of b and sums all rows of them in registers: 16
//     l2 loads →│    │    │    │    │   multiply-adds for one broadcast load of a.
//               └────┴────┴────┴────┘
//
// For `nt` a lane's columns are a subgroup apart; for `nn` and `tn` they are four neighbours, one load of b.

/** The kernel of a product on a software adapter; `key` names it and everything that its WGSL depends on. */
export function matmulBroadcast(key: KernelKey, { subgroupSize: lanes }: Target, variant: Variant): Tiling {
  const tileRows = variant.rows === 1 && variant.form !== 'tn' ? 1 : variant.rows <= 8 ? 8 : 16
  const tileColumns = lanes * (variant.form === 'nt' ? columnsOfLane(tileRows) : 4)
  const define = () => ({
    name: nameOf(`broadcast${tileRows}`, variant),
    // Runs are the same for the whole workgroup, which the compiler cannot know.
    enables: `${enablesOf(variant)}enable subgroups;${variant.inRuns ? '\ndiagnostic(off, subgroup_uniformity);' : ''}`,
    params,
    buffers: buffers(variant),
    code: broadcastWgsl(variant, lanes, tileRows, tileColumns),
  })
  return { tileRows, tileColumns, kernel: kernel(key, define) }
}

function broadcastWgsl(variant: Variant, lanes: number, tileRows: number, tileColumns: number): string {
  const body = bodies[variant.form](variant, tileRows, lanes)
  const sums = body.sums.map(({ name, type }) => `var total_${name} = ${type}();`).join('\n')
  return `${access(variant)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${locate(tileRows, tileColumns)}
  let a_row = params.a_row;
  let b_row = params.b_row;
  ${body.places}
  ${sums}
  // One loop over the blocks of all repeats: nested loops take longer to compile.
  ${variant.inRuns ? runsWgsl[variant.form](tileColumns) : `let blocks = ${blocksOf('inner')};`}
  for (var part = 0u; part < params.repeats * blocks; part++) {
    let a_at = a_start + part / blocks * params.a_repeat;
    let b_at = b_start + part / blocks * params.b_repeat;
    ${variant.inRuns && variant.form !== 'nt' ? blockInRuns : blockInInner}
      ${body.sums.map(({ name, type }) => `var ${name} = ${type}();`).join('\n')}
      for (; k + ${body.step}u <= end; k += ${body.step}u) {
        ${body.multiply}
      }
      ${variant.inner % body.step ? `for (; k < end; k++) {\n${body.multiplyOne}\n}` : ''}
      ${body.sums.map(({ name }) => `total_${name} += ${name};`).join('\n')}
  }
  ${body.write}
}`
}

/** How many blocks of k a range has. */
const blocksOf = (range: string): string => `(${range} + ${blockOfInner - 1}u) / ${blockOfInner}u`

const blockInInner = `var k = part % blocks * ${blockOfInner}u;
    let end = min(k + ${blockOfInner}u, inner);`

/** A tile of columns outside of both runs is left out; a sum over k goes through the first run, then the second. */
const runsWgsl = {
  nt: (tileColumns: number) => `let run = row / 16u * 4u;
  let column_end = column + ${tileColumns}u;
  if ((column >= runs[run + 1u] || column_end <= runs[run]) && (column >= runs[run + 3u] || column_end <= runs[run + 2u])) { return; }
  let blocks = ${blocksOf('inner')};`,
  nn: () => runsOfInner,
  tn: () => runsOfInner,
}

const runsOfInner = `let run = row / 16u * 4u;
  let first_blocks = ${blocksOf('runs[run + 1u] - runs[run]')};
  let blocks = first_blocks + ${blocksOf('runs[run + 3u] - runs[run + 2u]')};`

const blockInRuns = `let is_second = part % blocks >= first_blocks;
    let own_run = run + select(0u, 2u, is_second);
    var k = runs[own_run] + (part % blocks - select(0u, first_blocks, is_second)) * ${blockOfInner}u;
    let end = min(k + ${blockOfInner}u, runs[own_run + 1u]);`

/** Of `nt` products: with one row nearly all loads are of b, and four columns share the load of a. */
const columnsOfLane = (tileRows: number): number => (tileRows === 1 ? 4 : 2)

interface Body {
  /** Rows and columns that a lane loads, kept inside the matrices. */
  places: string
  sums: { name: string; type: string }[]
  /** Adds `step` products to every sum; `multiplyOne` adds one, for the remainder of inner. */
  step: number
  multiply: string
  multiplyOne: string
  write: string
}

type MakeBody = (variant: Variant, tileRows: number, lanes: number) => Body

const axes = ['x', 'y', 'z', 'w']

const nt: MakeBody = (_, tileRows, lanes) => {
  const count = columnsOfLane(tileRows)
  const own = unroll(count, v => v)
  const multiply = (load: (of: string) => string, steps: readonly string[]) => `
    ${rowLoads(tileRows, lanes, load('a'))}
    ${own.map(v => `let right${v} = ${load('b')}(b_at + column${v} * b_row + k);`).join('\n')}
    ${steps
      .flatMap(step =>
        unroll(
          tileRows,
          i => `{ let left = ${rowShare(tileRows, lanes, i, step)};
          ${own.map(v => `sum${i}_${v} = fma(left, right${v}${step}, sum${i}_${v});`).join(' ')} }`,
        ),
      )
      .join('\n')}`
  return {
    places: `${rowPlaces(tileRows, lanes)}
      ${own.map(v => `let column${v} = min(column + ${v * lanes}u + lane, columns - 1u);`).join('\n')}`,
    sums: unroll(tileRows, i => own.map(v => ({ name: `sum${i}_${v}`, type: 'f32' }))).flat(),
    step: 4,
    multiply: multiply(
      of => `${of}4`,
      axes.map(axis => `.${axis}`),
    ),
    multiplyOne: multiply(of => `${of}1`, ['']),
    write: `
      let totals = array(${unroll(tileRows, i => own.map(v => `total_sum${i}_${v}`))
        .flat()
        .join(', ')});
      for (var i = 0u; i < min(${tileRows}u, rows - row); i++) {
        for (var to = column + lane; to < min(column + ${count * lanes}u, columns); to += ${lanes}u) {
          finish(out_start + (row + i) * params.out_row + to, to, totals[i * ${count}u + (to - column) / ${lanes}u]);
        }
      }`,
  }
}

const nn: MakeBody = (_, tileRows, lanes) => {
  const right = (u: number) => `let right${u} = ${quadOfColumns(`b_at + (k + ${u}u) * b_row`)};`
  const multiply = (load: string, steps: readonly string[]) => `
    ${rowLoads(tileRows, lanes, load)}
    ${steps
      .flatMap((step, u) => [
        right(u),
        ...unroll(
          tileRows,
          i => `sum${i} = fma(vec4f(${rowShare(tileRows, lanes, i, step)}), right${u}, sum${i});`,
        ),
      ])
      .join('\n')}`
  return {
    places: `${rowPlaces(tileRows, lanes)} ${quadPlace}`,
    sums: unroll(tileRows, i => ({ name: `sum${i}`, type: 'vec4f' })),
    step: 4,
    multiply: multiply(
      'a4',
      axes.map(axis => `.${axis}`),
    ),
    multiplyOne: multiply('a1', ['']),
    write: writeQuads(tileRows),
  }
}

// Four rows of a are neighbours in memory, so a few lanes hold all rows of one k and the others those of the next k.
const tn: MakeBody = (_, tileRows, lanes) => {
  const quads = tileRows / 4
  const step = Math.max(1, Math.min(4, Math.floor(lanes / quads)))
  const groups = Math.ceil(quads / lanes)
  const multiply = (count: number) => `
    let k_own = (k + ${count === 1 ? '0u' : `min(lane / ${quads}u, ${count - 1}u)`}) * a_row;
    ${unroll(groups, g => `let left${g} = a4_until(a_at + k_own + row${g}, a_at + k_own + rows - 1u);`).join('\n')}
    ${unroll(count, u => [
      `let right${u} = ${quadOfColumns(`b_at + (k + ${u}u) * b_row`)};`,
      ...unroll(tileRows, i => {
        const quad = u * quads + Math.floor(i / 4)
        const left = `subgroupBroadcast(left${Math.floor(quad / lanes)}.${axes[i % 4]}, ${quad % lanes}u)`
        return `sum${i} = fma(vec4f(${left}), right${u}, sum${i});`
      }),
    ])
      .flat()
      .join('\n')}`
  return {
    places: `${unroll(
      groups,
      g => `let row${g} = min(row + (lane + ${g * lanes}u) % ${quads}u * 4u, (rows - 1u) & ~3u);`,
    ).join('\n')} ${quadPlace}`,
    sums: unroll(tileRows, i => ({ name: `sum${i}`, type: 'vec4f' })),
    step,
    multiply: multiply(step),
    multiplyOne: multiply(1),
    write: writeQuads(tileRows),
  }
}

const bodies = { nt, nn, tn }

// Lanes beyond the tile's rows, or the matrix's, load a row again.
const rowPlaces = (tileRows: number, lanes: number): string =>
  unroll(
    Math.ceil(tileRows / lanes),
    g => `let row${g} = min(row + ${tileRows === 1 ? '0u' : `${g * lanes}u + lane`}, rows - 1u) * a_row;`,
  ).join('\n')

const rowLoads = (tileRows: number, lanes: number, load: string): string =>
  unroll(Math.ceil(tileRows / lanes), g => `let left${g} = ${load}(a_at + row${g} + k);`).join('\n')

const rowShare = (tileRows: number, lanes: number, i: number, step: string): string =>
  tileRows === 1 ? `left0${step}` : `subgroupBroadcast(left${Math.floor(i / lanes)}${step}, ${i % lanes}u)`

const quadPlace = `
  let own_column = column + lane * 4u;
  let quad = min(own_column, (columns - 1u) & ~3u);`

const quadOfColumns = (row: string): string => `b4_until(${row} + quad, ${row} + columns - 1u)`

// Loops of unknown length over an array: compilers would unroll others, and the stores took most of the compilation.
const writeQuads = (tileRows: number): string => `
  let totals = array(${unroll(tileRows, i => `total_sum${i}`).join(', ')});
  for (var i = 0u; i < min(${tileRows}u, rows - row); i++) {
    for (var to = own_column; to < min(own_column + 4u, columns); to++) {
      finish(out_start + (row + i) * params.out_row + to, to, totals[i][to - own_column]);
    }
  }`
