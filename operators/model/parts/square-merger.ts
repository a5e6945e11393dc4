// connector.square-merger: a square of patches becomes a visual token by two products with a GELU between them (Qwen2-VL,
// arXiv:2409.12191); further levels of features become what DeepStack adds (Meng et al., arXiv:2406.04334). The last level is
// normed patch by patch, the others square by square. In Qwen2.5-VL there is one level, and the norm is of root mean squares.
import { at as element } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm, rmsNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Connector } from '../../../kernels/networks/shape.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { affine, type ConnectorEnds, type Part, type Shape } from './part.ts'

export interface SquareMergerSizes {
  /** Columns of a patch, and of a square of them. */
  readonly patch: number
  readonly wide: number
  readonly hidden: number
  /** Levels of features beside the last block's. */
  readonly deep: number
  readonly norm: 'layer' | 'rms'
}

export interface SquareMergerPart extends Part<Connector> {
  readonly kind: 'square-merger'
  readonly sizes: SquareMergerSizes
}

/** Reads keys of the configuration of a tower for frames of any shape; `patch` is the columns of its patches. */
export function squareMerger(
  fields: ConfigFields,
  { tower, language }: ConnectorEnds,
  { patch, norm }: Pick<SquareMergerSizes, 'patch' | 'norm'>,
): SquareMergerPart {
  const { levels } = tower.grid ?? { levels: 1 }
  const sizes = {
    patch,
    norm,
    wide: tower.hidden,
    hidden: fields.integer('out_hidden_size', { minimum: 1, fallback: 3584 }),
    deep: levels - 1,
  }
  if (sizes.hidden !== language.hidden)
    fields.problem('out_hidden_size', `must be ${language.hidden}, the language model's, got ${sizes.hidden}`)
  if (sizes.deep > language.layers)
    fields.problem(
      'deepstack_visual_indexes',
      `must be at most ${language.layers}, one for each layer of the language model, got ${sizes.deep}`,
    )
  const tensors = new Map(
    mergersOf(sizes).flatMap(({ name, normed }) => [
      ...normTensors(`${prefix}${name}norm`, normed, norm),
      ...affine(`${prefix}${name}linear_fc1`, [sizes.wide, sizes.wide]),
      ...affine(`${prefix}${name}linear_fc2`, [sizes.hidden, sizes.wide]),
    ]),
  )
  const network: Connector = {
    layers: 0,
    deep: sizes.deep,
    visualTokens: features => features / levels,
    record: (pass, weights, features) => record(pass, weights, sizes, features),
  }
  return { kind: 'square-merger', sizes, network, tensors, stored: tensors, isUnused: () => false }
}

const prefix = 'connector._connector.'

function* normTensors(name: string, columns: number, norm: SquareMergerSizes['norm']) {
  if (norm === 'layer') yield* affine(name, [columns])
  else yield [`${name}.weight`, [columns]] as [string, Shape]
}

/** By level of features: the beginning of the weights' names, and the columns that are normed together. */
const mergersOf = ({ patch, wide, deep }: SquareMergerSizes) => [
  { name: 'merger.', normed: patch },
  ...Array.from({ length: deep }, (_, i) => ({ name: `deepstack.${i}.`, normed: wide })),
]

function record(pass: Pass, weights: ParameterSet, sizes: SquareMergerSizes, features: Tensor): Tensor {
  const { wide, hidden } = sizes
  const type = pass.recording.factorType
  const mergers = mergersOf(sizes)
  const [moments, levels] = [element(features.shape, 0), element(features.shape, 1)]
  const each = element(features.shape, 2) * element(features.shape, 3)
  const count = moments * each
  const merged = mergers.map(({ name }, level) => {
    const at = (end: string) => parameter(weights, prefix + name + end)
    const squares = pass.output(`features of level ${level}`, [count, wide], [features])
    const pairs = Array.from({ length: count }, (_, to): RowPair => {
      return { to, from: (Math.floor(to / each) * levels + level) * each + (to % each) }
    })
    gatherInto(pass, features, squares, pairs)
    const x = normed(pass, sizes, squares, at)
    const inner = linear(pass, x, at('linear_fc1.weight'), {
      bias: at('linear_fc1.bias'),
      type,
      activation: 'gelu-erf',
    })
    return linear(pass, inner, at('linear_fc2.weight'), { bias: at('linear_fc2.bias') })
  })
  if (merged.length === 1) return element(merged, 0)
  const visual = pass.output('visual tokens', [merged.length * count, hidden], merged)
  for (const [level, tokens] of merged.entries()) {
    const pairs = Array.from({ length: count }, (_, from): RowPair => ({ to: level * count + from, from }))
    gatherInto(pass, tokens, visual, pairs)
  }
  return visual
}

function normed(
  pass: Pass,
  { norm }: SquareMergerSizes,
  x: Tensor,
  at: (end: string) => ReturnType<typeof parameter>,
): Tensor {
  const [gain, epsilon, type] = [at('norm.weight'), 1e-6, pass.recording.factorType]
  if (norm === 'rms') return rmsNorm(pass, x, gain, epsilon, type)
  return layerNorm(pass, x, { gain, bias: at('norm.bias'), epsilon, type })
}
