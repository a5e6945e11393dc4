import type { BlocksWgsl } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import { alongHead, alongTile, headVectors, hiddenScore, unseen } from './flash-shape.ts'
import type { FlashAttention, FlashTile } from './flash-table.ts'

// The phases of `flashAttention`'s shader for one tile of keys, in the order in which they run: `scoresWgsl` multiplies, `sharesWgsl`
// turns scores into probabilities, `rescaleWgsl` rescales the sums when it must, `sumWgsl` adds probabilities times values; at
// the end `finishWgsl` divides and writes.

/** How far, in powers of two, a score may exceed the largest at the last rescaling: 2^11 is well within float16. */
const slack = 11

/** Minus infinity among products that have not been scaled yet. */
const hiddenProduct = hiddenScore * 1e5

export type Layout = ReturnType<typeof layoutOf>

/** Where things lie in workgroup memory, in vectors, and which blocks of 16 × 16 there are. */
export function layoutOf({ headSize }: FlashAttention, { subgroups, rowBlocks, keyTile, turns }: FlashTile) {
  const { pitch, blocks: depth } = headVectors(headSize)
  const rowTile = subgroups * rowBlocks * 16
  const linePitch = keyTile / 4 + 1
  const values = turns ? 0 : keyTile * pitch
  const scores = values + keyTile * pitch
  return {
    rowTile,
    rowBlocks,
    lanes: subgroups * 32,
    pitch,
    depth,
    keyBlocks: keyTile / 16,
    /** Lanes of a row, and vectors of scores of a lane. */
    sharing: 2 / rowBlocks,
    lineVectors: (keyTile * rowBlocks) / 8,
    /** Keys lie at 0. */
    values,
    scores,
    linePitch,
    end: scores + rowTile * linePitch,
    /** A subgroup's scores. Its probabilities take their place, each lane's where its scores began. */
    strip: `${scores}u + subgroup * ${rowBlocks * 16 * linePitch}u`,
    sums: unroll(rowBlocks, r => unroll(depth, d => `sums${r}_${d}`)),
  }
}

/** Multiplies queries and keys, and writes the scores. */
export function scoresWgsl(
  units: BlocksWgsl,
  { rowBlocks, keyBlocks, depth, pitch, strip, linePitch, values }: Layout,
): string {
  const open = unroll(rowBlocks, r => unroll(keyBlocks, j => `scores${r}_${j}`))
  const multiply = (d: number) => (j: number) =>
    `{ let right = ${units.right(`${j * 16 * pitch + d * 2}u`, `${pitch}u`, alongHead)}; ${open.map((line, r) => `${line[j]} = ${units.multiply(`query${r}_${d}`, 'right', line[j], alongHead)};`).join(' ')} }`
  return `{
      ${open
        .flat()
        .map(name => `var ${name} = Sums();`)
        .join(' ')}
      ${unroll(depth, d => unroll(keyBlocks, multiply(d)).join('\n      ')).join('\n      ')}
      // Where keys have a room of their own, probabilities may still be read.
      ${values === 0 ? '' : 'workgroupBarrier();'}
      ${open.flatMap((line, r) => line.map((name, j) => `${units.store('tile', `${strip} + ${r * 16 * linePitch + j * 4}u`, linePitch, name)};`)).join('\n      ')}
    }`
}

/** Makes probabilities of a lane's scores. */
export function sharesWgsl({ lineVectors, sharing }: Layout): string {
  const all = unroll(lineVectors, i => `s${i}`)
  return `${all.map((s, i) => `var ${s} = bitcast<vec4f>(tile[own + (${i}u ^ twist)]);`).join('\n    ')}
    if (hides) {
      let key = first_key + side * ${lineVectors * 4}u;
      ${all.map((s, i) => `${s} = select(${s}, vec4f(${hiddenProduct}), hidden4(seen_from, lineage, key + (${i}u ^ twist) * 4u, length));`).join('\n      ')}
    }
    let most4 = ${folded(all, (a, b) => `max(${a}, ${b})`)};
    var most = max(max(most4.x, most4.y), max(most4.z, most4.w));
    ${sharing === 2 ? 'most = max(most, subgroupShuffleXor(most, 1u));' : ''}
    most *= params.scale;
    var shrink = 1.0;
    if (most > largest + ${slack}.0) {
      shrink = exp2(largest - most);
      if (largest > ${unseen / 2}) { grown = 1u; }
      largest = most;
    }
    // Rounding of huge scores must not make more of them than the slack.
    ${all.map(s => `${s} = exp2(min(fma(${s}, vec4f(params.scale), vec4f(-largest)), vec4f(${slack}.0)));`).join('\n    ')}
    total = total * shrink + dot(${folded(all, (a, b) => `(${a} + ${b})`)}, vec4f(1.0));
    ${unroll(lineVectors / 2, i => `let shares${i} = packed_halves(${all[2 * i]}, ${all[2 * i + 1]});`).join('\n    ')}
    ${putShares(lineVectors)}`
}

/** Halves first, so that no step waits for all before it. */
function folded(names: readonly string[], join: (a: string, b: string) => string): string {
  const middle = names.length >> 1
  return middle === 0
    ? names[0]
    : join(folded(names.slice(0, middle), join), folded(names.slice(middle), join))
}

const putShares = (lineVectors: number): string =>
  unroll(lineVectors / 2, i => `tile[own + (${i}u ^ (twist / 2u))] = shares${i};`).join('\n    ')

/** Scales the rows of all sums, through the room of the scores; probabilities go back there afterwards. */
export function rescaleWgsl(units: BlocksWgsl, layout: Layout): string {
  return `${groups(
    layout,
    names => `${storeAll(units, layout, names)}
      workgroupBarrier();
      for (var i = 0u; i < ${layout.lineVectors}u; i++) { tile[own + i] = bitcast<vec4u>(bitcast<vec4f>(tile[own + i]) * shrink); }
      workgroupBarrier();
      ${names.flatMap((line, r) => line.map((name, i) => `${name} = ${units.load('tile', placeOf(layout, r, i), layout.linePitch)};`)).join(' ')}
      workgroupBarrier();`,
  )}
      ${putShares(layout.lineVectors)}
      workgroupBarrier();`
}

/** Adds the products of probabilities and 16 of the values. */
export function sumWgsl(units: BlocksWgsl, layout: Layout, j: number): string {
  const { sums, strip, linePitch, pitch, values, sharing, keyBlocks, lineVectors } = layout
  const ofLane = keyBlocks / sharing
  const at = Math.floor(j / ofLane) * lineVectors + (j % ofLane) * 2
  const lefts = sums.map(
    (_, r) =>
      `let left${r} = ${units.left(`${strip} + ${r * 16 * linePitch + at}u`, `${linePitch}u`, alongTile)};`,
  )
  const right = (d: number) => units.right(`${values + j * 16 * pitch + d * 2}u`, `${pitch}u`, alongTile)
  return `{ ${lefts.join(' ')}
      ${unroll(layout.depth, d => `{ let right = ${right(d)}; ${sums.map((line, r) => `${line[d]} = ${units.multiply(`left${r}`, 'right', line[d], alongTile)};`).join(' ')} }`).join('\n      ')} }`
}

/** Writes the sums over the totals, and the log sums. */
export function finishWgsl(units: BlocksWgsl, layout: Layout, { out, headSize }: FlashAttention): string {
  const { sharing, lineVectors } = layout
  return `${sharing === 2 ? 'total += subgroupShuffleXor(total, 1u);' : ''}
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  if (side == 0u && row < params.rows) {
    logSums[(batch * params.heads + head) * params.rows + row] = select(${-hiddenScore}, (largest + log2(total)) * ${Math.LN2}, total > 0.0);
  }
  let to = ((batch * params.rows + row) * params.heads + head) * ${headSize}u;
  ${groups(
    layout,
    (names, first) => `workgroupBarrier();
  ${storeAll(units, layout, names)}
  workgroupBarrier();
  for (var i = 0u; i < ${lineVectors}u; i += 2u) {
    let column = ${first * 16}u + side * ${lineVectors * 4}u + i * 4u;
    if (row < params.rows && column < ${headSize}u) {
      let low = bitcast<vec4f>(tile[own + i]) * inverse;
      let high = bitcast<vec4f>(tile[own + i + 1u]) * inverse;
      ${out.type === 'f16' ? 'out[(to + column) >> 3u] = halves(low, high);' : 'out[(to + column) >> 2u] = low;\n      out[((to + column) >> 2u) + 1u] = high;'}
    }
  }`,
  )}`
}

/** Repeats `code` for as many blocks of sums at a time as the room of the scores holds. */
function groups(
  { sums, depth, keyBlocks }: Layout,
  code: (names: string[][], first: number) => string,
): string {
  const starts = unroll(Math.ceil(depth / keyBlocks), group => group * keyBlocks)
  return starts
    .map(first =>
      code(
        sums.map(line => line.slice(first, first + keyBlocks)),
        first,
      ),
    )
    .join('\n  ')
}

const storeAll = (units: BlocksWgsl, layout: Layout, names: string[][]): string =>
  names
    .flatMap((line, r) =>
      line.map((name, i) => `${units.store('tile', placeOf(layout, r, i), layout.linePitch, name)};`),
    )
    .join(' ')

const placeOf = ({ strip, linePitch }: Layout, r: number, i: number): string =>
  `${strip} + ${r * 16 * linePitch + i * 4}u`
