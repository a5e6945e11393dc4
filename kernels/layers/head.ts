import type { Tensor } from '../device/tensor.ts'
import { matmul } from '../matmul/matmul.ts'
import { derived } from '../plan/derived.ts'
import { logProbability, logProbabilityBackward } from '../rows/log-probability.ts'
import { restrict } from '../sampling/support.ts'
import { gather } from './gather.ts'
import type { Parameter, Pass } from './pass.ts'
import { weightProduct } from './weight-product.ts'

/** A row of hidden states and the token id that it should predict. */
export interface SupervisedToken {
  row: number
  target: number
}

export interface SupervisedTokens {
  tokens: () => readonly SupervisedToken[]
  temperature: number
  /** The distribution is over these tokens; by default over the whole vocabulary. */
  support?: Support | undefined
}

export interface LogProbabilities {
  /** u32 (supervised rows) */
  targets: Tensor
  /** (supervised rows): log softmax of the logits, divided by the temperature, at the target. */
  logProbs: Tensor
  /** (supervised rows): entropy of the same distribution. */
  entropies: Tensor
  /** (supervised rows): dLoss / dlogProb, which the host writes before the backward runs. */
  coefficients: Tensor
  /** (supervised rows): dLoss / dentropy, likewise. */
  entropyCoefficients: Tensor
}

/** u32 (supervised rows, ⌈vocabulary / 32⌉): for each row, the tokens that its distribution is over, as bits. */
export type Support = Tensor

/** Log-probabilities of the supervised tokens under weight (vocabulary, hidden): only the supervised rows of hidden (rows, hidden) are multiplied. */
export function logProbabilities(
  pass: Pass,
  hidden: Tensor,
  weight: Parameter,
  { tokens, temperature, support }: SupervisedTokens,
): LogProbabilities {
  const { recording } = pass
  const count = tokens().length
  const [vocabulary, width] = weight.shape
  const x = gather(
    pass,
    hidden,
    derived(tokens, list => list.map(token => token.row)),
    'supervised rows',
  )
  const targets = recording.input(
    'targets',
    [count],
    derived(tokens, list => Uint32Array.from(list, token => token.target)),
  )
  const logProbs = pass.output('log-probabilities', [count], [x], [weight])
  const logSums = recording.tensor('log sums', [count])
  const entropies = recording.pin('entropies', [count])
  const coefficients = recording.pin('coefficients', [count])
  const entropyCoefficients = recording.pin('entropy coefficients', [count])
  recording.pinned.add(logProbs)
  const shared = { targets, vocabulary, temperature, logSums, entropies }
  const chunks = rowChunks(count, vocabulary, recording.factorType === 'f16' ? 2 ** 27 : 2 ** 25)
  const factor = pass.rounded(x)
  const rowsOf = (tensor: Tensor, firstRow: number) => ({
    tensor,
    offset: firstRow * width,
    rowStride: width,
  })
  const logitsOf = ({ firstRow, rows }: Chunk, b: Tensor): Tensor => {
    const logits = recording.tensor('logits', [rows, vocabulary])
    const a = rowsOf(factor, firstRow)
    matmul(recording, { form: 'nt', rows, columns: vocabulary, inner: width, a, b, out: logits })
    if (support) restrict(recording, { logits, support, firstRow, rows, vocabulary })
    return logits
  }
  const floats = pass.factor(weight, count)
  for (const chunk of chunks) {
    const logits = logitsOf(chunk, floats)
    logProbability(recording, { logits, ...shared, ...chunk, logProbs })
  }
  pass.coefficients(logProbs, coefficients)
  pass.onBackward(logProbs, () => {
    const target = pass.wants(x) ? pass.into(x) : undefined
    const floats = pass.factor(weight, count)
    for (const chunk of chunks) {
      const { firstRow, rows } = chunk
      // The logits are computed again instead of kept, and then overwritten by their gradient.
      const logits = logitsOf(chunk, floats)
      logProbabilityBackward(recording, { logits, ...shared, ...chunk, coefficients, entropyCoefficients })
      const a = target || weight.gradient ? pass.rounded(logits) : logits
      if (target) {
        const out = rowsOf(target.gradient, firstRow)
        const { accumulate } = target
        matmul(recording, {
          form: 'nn',
          rows,
          columns: width,
          inner: vocabulary,
          a,
          b: floats,
          out,
          accumulate,
        })
      }
      if (weight.gradient) {
        const b = rowsOf(factor, firstRow)
        const out = weight.gradient
        matmul(recording, {
          form: 'tn',
          rows: vocabulary,
          columns: width,
          inner: rows,
          a,
          b,
          out,
          accumulate: true,
        })
      }
    }
  })
  return { logProbs, entropies, targets, coefficients, entropyCoefficients }
}

/** Logits of all rows of hidden: (rows, vocabulary). For inference. */
export function logits(pass: Pass, hidden: Tensor, weight: Parameter): Tensor {
  const [rows] = hidden.shape
  const out = pass.recording.tensor('logits', [rows, weight.shape[0]])
  weightProduct(pass, weight, { rows, a: hidden, out })
  return out
}

export interface Chunk {
  firstRow: number
  rows: number
}

/** Ranges of rows that have at most `maxLogits` logits; a range of more than 128 rows is a multiple of 128, the height of a tile of products. */
export function rowChunks(count: number, vocabulary: number, maxLogits = 2 ** 25): Chunk[] {
  const fitting = Math.max(1, Math.floor(maxLogits / vocabulary))
  const size = fitting > 128 ? fitting - (fitting % 128) : fitting
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    return { firstRow: i * size, rows: Math.min(size, count - i * size) }
  })
}
