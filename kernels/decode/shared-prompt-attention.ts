import { sizeOf, type Tensor } from '../device/tensor.ts'
import { derived } from '../plan/derived.ts'
import type { Recording } from '../plan/recording.ts'
import type { DecodeHeads } from './attention.ts'
import { blockRowsOf } from './row-blocks.ts'
import { groupTogether } from './shared-prompt-merge.ts'
import { groupParts, keysAtOnce, rowsAtOnce } from './shared-prompt-parts.ts'

// Attention of new tokens on matrix units, where completions of one prompt share its keys: out = softmax(scale · q Kᵀ) V over the
// prompt and then the sequence's own tokens. A prompt's keys are read once for all sequences and query heads that share them.
//
//              prompt A, in pieces of 64 keys          own tokens, in pieces of 64
//              ┌──────┬──────┬────┐                    ┌──────┬────┐
//   sequences  │      │      │    │         sequence 0 │      │    │    Each piece is one workgroup per key head
//   0, 1, 2    │      │      │    │                    └──────┴────┘    (shared-prompt-parts.ts); a second kernel puts the
//              └──────┴──────┴────┘         sequence 1 │ …              parts of each sequence together (…-merge.ts).
//
// The host lists which rows look at which pieces. Queries, keys, values and weights are float16, scores and sums float32. The
// reference is `decodeAttentionReference`.

/** Sequences that share a prompt, side by side in the batch. */
export interface PromptGroup {
  /** First row of the prompt in the prefix. */
  start: number
  length: number
  /** Rows that a later prompt in its place may take, the prompt's own rows among them. */
  room: number
  /** First of the sequences. */
  first: number
  count: number
}

/** Which workgroup looks at which keys of the prompts, and where each sequence finds its parts. */
export interface GroupLists {
  /** u32 (items, 4): first sequence, rows, first key, keys; an item without keys is passed over. */
  items: Tensor
  /** u32 (sequences, 3): first item, how many, place in the group. */
  places: Tensor
}

/** The capacity must be a multiple of `keysAtOnce`. */
export interface GroupAttention extends DecodeHeads {
  lists: GroupLists
  /** float16 (keyValueHeads, sequences or more, heads / keyValueHeads, headSize) */
  queries: Tensor
  /** float16 (2, rows + keysAtOnce, keyValueHeads · headSize): finite everywhere. */
  prefix: Tensor
  /** float16 (2, sequences, capacity, keyValueHeads · headSize): finite everywhere. */
  cache: Tensor
  /** u32 (sequences): slots 0 to this one, inclusive, are seen. */
  position: Tensor
  /** Blocks of (sequences, heads · headSize), out. */
  out: Tensor
  sequences: number
}

/** Records both kernels: the parts of all pieces of keys, then their sum for each sequence and head. */
export function groupAttention(recording: Recording, of: GroupAttention): void {
  const { lists, sequences, heads, keyValueHeads, headSize, capacity } = of
  const ratio = heads / keyValueHeads
  const prefixItems = lists.items.shape[0]
  const prefixRows = Math.ceil((sequencesAtOnce(ratio) * ratio) / 16) * 16
  const ownRows = Math.ceil(ratio / 16) * 16
  const ownChunks = capacity / keysAtOnce
  const rows = prefixItems * prefixRows + sequences * ownChunks * ownRows
  const sums = recording.tensor('attention parts', [keyValueHeads, rows, headSize])
  const weights = recording.tensor('attention weights', [keyValueHeads, rows, 2])
  const shared = {
    sequences,
    key_value_heads: keyValueHeads,
    ratio,
    capacity,
    prefix_items: prefixItems,
    prefix_rows: prefixRows,
    own_rows: ownRows,
    own_chunks: ownChunks,
    part_rows: rows,
  }
  recording.dispatch(groupParts(recording.target, headSize, ratio), {
    params: {
      ...shared,
      query_sequences: of.queries.shape[1],
      prefix_values: sizeOf(of.prefix.shape) / 2 / 8,
      cache_values: sizeOf(of.cache.shape) / 2 / 8,
      scale: of.scale,
    },
    buffers: {
      items: lists.items,
      queries: of.queries,
      prefix: of.prefix,
      cache: of.cache,
      position: of.position,
      sums,
      weights,
    },
    grid: (prefixItems + sequences * ownChunks) * keyValueHeads,
  })
  recording.dispatch(groupTogether(recording.target, headSize, blockRowsOf(sequences)), {
    params: { ...shared, row_blocks: of.out.shape[1] },
    buffers: {
      places: lists.places,
      position: of.position,
      sums,
      weights,
      out: of.out,
    },
    grid: sequences * heads,
  })
}

/** Sequences whose rows share a workgroup. */
const sequencesAtOnce = (ratio: number): number => Math.max(1, Math.floor(rowsAtOnce(ratio) / ratio))

/** Items of one group and places of its sequences, from the group's first item on; `ratio` query heads share a key head. */
export function groupItems(
  { start, length, room, first, count }: PromptGroup,
  firstItem: number,
  ratio: number,
): { items: number[]; places: number[] } {
  const wide = sequencesAtOnce(ratio)
  const [items, places]: [number[], number[]] = [[], []]
  for (let s = 0; s < count; s += wide) {
    const several = Math.min(wide, count - s)
    for (let i = 0; i < several; i++)
      places.push(firstItem + items.length / 4, Math.ceil(length / keysAtOnce), i)
    for (let key = 0; key < room; key += keysAtOnce) {
      const keys = Math.max(0, Math.min(keysAtOnce, length - key))
      items.push(first + s, several * ratio, start + key, keys)
    }
  }
  return { items, places }
}

/** Lists for groups that follow each other in the batch; rooms stay the same in all uses of the recording. */
export function groupLists(
  recording: Recording,
  groups: () => readonly PromptGroup[],
  ratio: number,
): GroupLists {
  const lists = derived(groups, list => {
    const [items, places]: [number[], number[]] = [[], []]
    for (const group of list) {
      const of = groupItems(group, items.length / 4, ratio)
      items.push(...of.items)
      places.push(...of.places)
    }
    return { items: Uint32Array.from(items), places: Uint32Array.from(places) }
  })
  const { items, places } = lists()
  return {
    items: recording.input('attention items', [items.length / 4, 4], () => lists().items),
    places: recording.input('attention places', [places.length / 3, 3], () => lists().places),
  }
}
