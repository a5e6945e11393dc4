import type { DecodeHeads } from './decode-attention.ts'
import { blockRowsOf } from './decode-blocks.ts'
import { groupParts, keysAtOnce, mostRows } from './decode-groups-parts.ts'
import { groupTogether } from './decode-groups-together.ts'
import type { Plan } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

/** Sequences that share a prompt, side by side in the batch. */
export interface PromptGroup {
  /** First row of the prompt in the prefix. */
  start: number
  length: number
  /** First of the sequences. */
  first: number
  count: number
}

/** The capacity must be a multiple of `keysAtOnce`. */
export interface GroupAttention extends DecodeHeads {
  groups: readonly PromptGroup[]
  /** float16 (keyValueHeads, sequences or more, heads / keyValueHeads, headSize) */
  queries: Tensor
  /** float16 (2, rows + keysAtOnce, keyValueHeads · headSize): finite everywhere. */
  prefix: Tensor
  /** float16 (2, sequences, capacity, keyValueHeads · headSize): finite everywhere. */
  cache: Tensor
  /** u32 (1): slots 0 to this one, inclusive, are seen. */
  position: Tensor
  /** Blocks of (sequences, heads · headSize), out. */
  out: Tensor
  sequences: number
}

/**
 * out = softmax(scale · q · kᵀ) · v for each sequence and head over its prompt and then its own tokens. A prompt's keys
 * are read once for all sequences and query heads that share them. Each workgroup makes the part of some keys; a second
 * dispatch puts the parts together. Queries, keys, values and weights are float16, scores and sums float32.
 */
export function groupAttention(plan: Plan, of: GroupAttention): void {
  const { groups, sequences, heads, keyValueHeads, headSize, capacity } = of
  const ratio = heads / keyValueHeads
  const wide = Math.max(1, Math.floor(mostRows / ratio)) // sequences whose rows share a workgroup
  const items: number[] = []
  const places: number[][] = []
  for (const { start, length, first, count } of groups) {
    const chunks = Math.ceil(length / keysAtOnce)
    for (let s = 0; s < count; s += wide) {
      const several = Math.min(wide, count - s)
      for (let i = 0; i < several; i++) places[first + s + i] = [items.length / 4, chunks, i]
      for (let c = 0; c < chunks; c++) {
        const keys = Math.min(keysAtOnce, length - c * keysAtOnce)
        items.push(first + s, several * ratio, start + c * keysAtOnce, keys)
      }
    }
  }
  const prefixItems = items.length / 4
  const prefixRows = Math.ceil((wide * ratio) / 16) * 16
  const ownRows = Math.ceil(ratio / 16) * 16
  const ownChunks = capacity / keysAtOnce
  const list = (label: string, values: readonly number[]) =>
    plan.constant(label, [values.length], Uint32Array.from(values))
  const rows = prefixItems * prefixRows + sequences * ownChunks * ownRows
  const sums = plan.tensor('attention parts', [keyValueHeads, rows, headSize])
  const weights = plan.tensor('attention weights', [keyValueHeads, rows, 2])
  const shared = {
    ...{ sequences, key_value_heads: keyValueHeads, ratio, capacity },
    ...{ prefix_items: prefixItems, prefix_rows: prefixRows },
    ...{ own_rows: ownRows, own_chunks: ownChunks, part_rows: rows },
  }
  plan.dispatch(groupParts(plan.target, headSize), {
    params: {
      ...shared,
      query_sequences: of.queries.shape[1],
      prefix_values: sizeOf(of.prefix.shape) / 2 / 8,
      cache_values: sizeOf(of.cache.shape) / 2 / 8,
      scale: of.scale,
    },
    buffers: {
      items: list('attention items', items),
      queries: of.queries,
      prefix: of.prefix,
      cache: of.cache,
      position: of.position,
      sums,
      weights,
    },
    grid: (prefixItems + sequences * ownChunks) * keyValueHeads,
  })
  plan.dispatch(groupTogether(plan.target, headSize, blockRowsOf(sequences)), {
    params: { ...shared, row_blocks: of.out.shape[1] },
    buffers: {
      places: list('attention places', places.flat()),
      position: of.position,
      sums,
      weights,
      out: of.out,
    },
    grid: sequences * heads,
  })
}
