import t from 'tap'
import { decodeStart } from '../../../kernels/decode/embed-and-norm.ts'
import { type StepProductName, stepTileFor } from '../../../kernels/decode/product-table.ts'
import {
  addProjection,
  addWeights,
  gatedProjection,
  gatedWeights,
  logitsWeights,
  stepLogits,
} from '../../../kernels/decode/projections.ts'
import { attentionInputs, attentionInputWeights } from '../../../kernels/decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../../kernels/decode/row-blocks.ts'
import { groupAttention, groupLists } from '../../../kernels/decode/shared-prompt-attention.ts'
import {
  type StepMatrix,
  type StepWeights,
  tiledSize,
  tileWeights,
} from '../../../kernels/decode/tiled-weights.ts'
import type { ElementType, Tensor } from '../../../kernels/device/tensor.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import { drawTokens } from '../../../kernels/sampling/fast-sample.ts'
import { rowWords } from '../../../kernels/weights/integers.ts'
import { complaints, nullDevice } from '../null-device.ts'

const gpu = await nullDevice()
t.teardown(() => gpu.destroy())

// The released sizes, and smaller ones that do not fit the widest cuts.
const models = [
  { hidden: 2048, intermediate: 11008, heads: 16, keyValueHeads: 2, headSize: 128, vocabulary: 151936 },
  { hidden: 48, intermediate: 80, heads: 3, keyValueHeads: 1, headSize: 16, vocabulary: 301 },
]

for (const { hidden, intermediate, heads, keyValueHeads, headSize, vocabulary } of models)
  for (const [rows, stored] of [
    [1, 'f32'],
    [1, 4],
    [9, 'f16'],
    [17, 'f32'],
    [64, 'f32'],
    [64, 8],
    [100, 'f16'],
  ] as const)
    t.test(
      `every kernel of a step of ${rows} sequences of ${hidden} is valid WGSL, weights of ${stored}${typeof stored === 'number' ? ' bits' : ''}`,
      async t => {
        const found = await complaints(gpu, recording => {
          const f32 = (shape: readonly number[]) => recording.tensor('given', shape)
          const half = (shape: readonly number[]) => recording.tensor('given', shape, 'f16')
          const index = (...shape: number[]) => recording.tensor('given', shape, 'u32')
          const tile = (name: StepProductName, inner: number, columns: number, unit: number) =>
            stepTileFor(name, rows, inner, { columns, unit })
          const tiledOf = (weights: StepWeights) => {
            const tiled = half([tiledSize(weights)])
            tileWeights(recording, weights, tiled)
            return tiled
          }
          const matrix = (shape: readonly number[]): StepMatrix => {
            if (typeof stored === 'string') return recording.tensor('given', shape, stored)
            const [outputs = 0, inner = 0] = shape
            const format = { bits: stored, groupSize: 128 }
            const words = rowWords(inner, format)
            const [integers, groups] = [words.integers, words.groups].map(width => index(outputs, width))
            if (!integers || !groups) throw new Error('a matrix has integers and groups')
            return { ...format, shape, integers, groups }
          }
          // Rows that are written by a kernel of their own need no squares.
          const normed = (isExact = rows >= 64) => {
            const squares = isExact ? undefined : f32(squaresOf(rows, 3))
            return {
              rows: half(blocksOf(rows, hidden)),
              squares,
              scales: f32([112]),
              size: hidden,
              epsilon: 1e-6,
            }
          }
          const [x, gain, position] = [f32([rows, hidden]), f32([hidden]), index(rows)]
          for (const type of ['f32', 'f16'] satisfies ElementType[]) {
            const table = recording.tensor('table', [vocabulary, hidden], type)
            decodeStart(recording, { ids: index(rows), table, x, gain, normed: normed(), rows })
          }
          const width = keyValueHeads * headSize
          const queries = half([keyValueHeads, rows, heads / keyValueHeads, headSize])
          const cache = half([2, rows, 64, width])
          const outputs = (heads + 2 * keyValueHeads) * headSize
          const of = { rows, heads, keyValueHeads, headSize, capacity: 64, queries, cache, position }
          const inputs = {
            ...of,
            tile: tile('qkv', hidden, outputs, headSize),
          }
          const inputWeights = [heads * headSize, width, width].map(size => matrix([size, hidden]))
          attentionInputs(recording, {
            ...inputs,
            tiled: tiledOf(attentionInputWeights(inputWeights, { ...inputs, inner: hidden })),
            x: normed(),
            bias: f32([outputs]),
            turns: { angles: f32([99, headSize / 2, 2]), starts: index(rows) },
          })
          const groups = [{ start: 0, length: 70, room: 70, first: 0, count: rows }]
          const lists = groupLists(recording, () => groups, heads / keyValueHeads)
          const out = half(blocksOf(rows, heads * headSize))
          groupAttention(recording, {
            ...of,
            lists,
            sequences: rows,
            prefix: half([2, 134, width]),
            out,
            scale: 1,
          })
          const add = (name: 'out' | 'down', inner: number) => {
            const sizes = { inner, columns: hidden, tile: tile(name, inner, hidden, hidden) }
            const from = half(blocksOf(rows, inner))
            const tiled = tiledOf(addWeights(matrix([hidden, inner]), sizes))
            const next = normed(false)
            addProjection(recording, { ...sizes, tiled, from, x, scales: f32([112]), gain, next, rows })
          }
          add('out', heads * headSize)
          add('down', intermediate)
          const gates = {
            columns: intermediate,
            tile: tile('gated', hidden, 2 * intermediate, 2 * intermediate),
          }
          const gated = half(blocksOf(rows, intermediate))
          const [gate, up] = [0, 1].map(() => matrix([intermediate, hidden]))
          const tiled = tiledOf(gatedWeights(gate, up, { ...gates, inner: hidden }))
          gatedProjection(recording, { ...gates, tiled, x: normed(), rows, out: gated })
          const logits = f32([rows, vocabulary])
          const head = {
            columns: vocabulary,
            tile: tile('head', hidden, vocabulary, 64),
          }
          const headTiles = tiledOf(logitsWeights(matrix([vocabulary, hidden]), { ...head, inner: hidden }))
          stepLogits(recording, { ...head, tiled: headTiles, x: normed(), rows, logits })
          draws(recording, logits, rows, vocabulary)
        })
        t.same(found, [])
      },
    )

function draws(recording: Recording, logits: Tensor, rows: number, vocabulary: number): void {
  const index = (...shape: number[]) => recording.tensor('given', shape, 'u32')
  const state = { seeds: index(rows), position: index(rows), done: index(rows), ids: index(rows) }
  const all = { greedy: false, temperature: 1, topK: 0, topP: 1, minP: 0 }
  for (const how of [all, { ...all, greedy: true }, { ...all, topK: 5 }])
    drawTokens(recording, {
      ...{
        logits,
        ...state,
        ...how,
        history: index(rows, 9),
        chances: recording.tensor('chances', [rows, 9]),
      },
      endId: 1,
      rows,
      vocabulary,
      capacity: 9,
    })
}
