import type { Tensor } from '../device/tensor.ts'
import type { RowPair } from '../layers/gather.ts'
import type { SupervisedToken } from '../layers/head.ts'

/** Stands in token ids where the visual tokens of the clip go. */
export const imagePlaceholderId = -200

/** Marks a label that is not learned. */
export const ignoredLabel = -100

/** A prompt with what was written after it. */
export interface Sequence {
  /** Token ids; -200 once at most, where the visual tokens go. */
  ids: readonly number[]
  /** Vision features of the clip (tokens, vision hidden); these or `pixels` are needed when -200 occurs. */
  features?: Tensor
  /** (frames, channels, size, size): the tower is then a part of the pass, as its training needs. */
  pixels?: Tensor
  /** As many as `ids`: what each position should be, -100 to leave it out. */
  labels?: readonly number[]
  /** Each continues the prompt by itself and is supervised whole. */
  completions?: readonly (readonly number[])[]
}

/**
 * Sequences side by side in one list of rows, without padding. A row sees the earlier rows of its own segment and of
 * its parent segment: completions share the one copy of their prompt, and sequences do not see each other.
 */
export interface Packing {
  rows: number
  /** Row and token id. */
  tokens: RowPair[]
  /** For each sequence: row and visual token. */
  visual: RowPair[][]
  positions: number[]
  segments: number[]
  parents: number[]
  /** For each sequence: the row that predicts what follows the prompt. */
  lastRows: number[]
  /** For each sequence: rows of its prompt, as first row and count. */
  prompts: { start: number; length: number }[]
  /** Labels of a sequence first, then its completions token by token. */
  supervisedTokens: SupervisedToken[]
}

/** Packs the sequences. A spliced prompt longer than `maxLength` loses its end, as in the released system. */
export function pack(sequences: readonly Sequence[], visualTokens: number, maxLength: number): Packing {
  const packing: Packing = {
    rows: 0,
    tokens: [],
    visual: [],
    positions: [],
    segments: [],
    parents: [],
    lastRows: [],
    prompts: [],
    supervisedTokens: [],
  }
  let segments = 0
  for (const sequence of sequences) {
    const prompt = segments++
    const start = packing.rows
    const addRow = (segment: number, position: number): number => {
      packing.positions.push(position)
      packing.segments.push(segment)
      packing.parents.push(prompt)
      return packing.rows++
    }
    const visual: RowPair[] = []
    const labels: number[] = []
    sequence.ids.forEach((id, i) => {
      const isImage = id === imagePlaceholderId
      for (let v = 0; v < (isImage ? visualTokens : 1) && packing.rows - start < maxLength; v++) {
        const to = addRow(prompt, packing.rows - start)
        if (isImage) visual.push({ to, from: v })
        else packing.tokens.push({ to, from: id })
        labels.push(isImage ? ignoredLabel : (sequence.labels?.[i] ?? ignoredLabel))
      }
    })
    const length = packing.rows - start
    packing.visual.push(visual)
    packing.prompts.push({ start, length })
    packing.lastRows.push(packing.rows - 1)
    labels.forEach((target, i) => {
      if (i > 0 && target !== ignoredLabel) packing.supervisedTokens.push({ row: start + i - 1, target })
    })
    for (const completion of sequence.completions ?? []) {
      const segment = segments++
      completion.forEach((target, i) => {
        packing.supervisedTokens.push({ row: i === 0 ? start + length - 1 : packing.rows - 1, target })
        // The last token predicts nothing that is supervised, so it needs no row.
        if (i + 1 < completion.length) packing.tokens.push({ to: addRow(segment, length + i), from: target })
      })
    }
  }
  return packing
}
