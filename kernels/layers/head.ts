import type { Tensor } from '../device/tensor.ts'
import { matmul } from '../matmul/matmul.ts'
import { logProbability, logProbabilityBackward } from '../rows/log-probability.ts'
import { restrict } from '../sampling/support.ts'
import { gather } from './gather.ts'
import type { Parameter, Pass } from './pass.ts'

/** A row of hidden states and the token id that it should predict. */
export interface SupervisedToken {
  row: number
  target: number
}

export interface LogProbabilities {
  /** u32 (supervised rows) */
  targets: Tensor
  /** (supervised rows): log softmax of the logits, divided by the temperature, at the target. */
  logProbs: Tensor
  /** (supervised rows): entropy of the same distribution. */
  entropies: Tensor
  /** (supervised rows): dLoss / dlogProb, written by the host before the backward runs. */
  coefficients: Tensor
  /** (supervised rows): dLoss / dentropy, likewise. */
  entropyCoefficients: Tensor
}

/** u32 (supervised rows, ⌈vocabulary / 32⌉): one bit for each token that a distribution is over. */
export type Support = Tensor

/** Log-probabilities of the targets under weight (vocabulary, hidden), on the supervised rows of hidden (rows, hidden) only; with `support`, over its tokens. */
export function logProbabilities(
  pass: Pass,
  hidden: Tensor,
  weight: Parameter,
  supervised: readonly SupervisedToken[],
  temperature: number,
  support?: Support,
): LogProbabilities {
  const { recording } = pass
  const count = supervised.length
  const [vocabulary, width] = weight.shape
  const x = gather(
    pass,
    hidden,
    supervised.map(s => s.row),
    'supervised rows',
  )
  const targets = recording.constant(
    'targets',
    [count],
    Uint32Array.from(supervised, s => s.target),
  )
  const logProbs = pass.output('log-probabilities', [count], [x], [weight])
  const logSums = recording.tensor('log sums', [count])
  const entropies = recording.pin('entropies', [count])
  const coefficients = recording.pin('coefficients', [count])
  const entropyCoefficients = recording.pin('entropy coefficients', [count])
  recording.pinned.add(logProbs)
  const shared = { targets, vocabulary, temperature, logSums, entropies }
  const chunks = rowChunks(count, vocabulary, recording.factorType === 'f16' ? 2 ** 27 : 2 ** 25)
  const rowsOf = (tensor: Tensor, firstRow: number) => ({
    tensor,
    offset: firstRow * width,
    rowStride: width,
  })
  const logitsOf = ({ firstRow, rows }: Chunk): Tensor => {
    const logits = recording.tensor('logits', [rows, vocabulary])
    const a = rowsOf(x, firstRow)
    matmul(recording, {
      form: 'nt',
      rows,
      columns: vocabulary,
      inner: width,
      a,
      b: pass.factor(weight, count),
      out: logits,
    })
    if (support) restrict(recording, { logits, support, firstRow, rows, vocabulary })
    return logits
  }
  for (const chunk of chunks) {
    const logits = logitsOf(chunk)
    logProbability(recording, { logits, ...shared, ...chunk, logProbs })
  }
  pass.coefficients(logProbs, coefficients)
  pass.onBackward(logProbs, () => {
    const target = pass.wants(x) ? pass.into(x) : undefined
    for (const chunk of chunks) {
      const { firstRow, rows } = chunk
      // Computed again rather than kept; overwritten by their own gradient.
      const logits = logitsOf(chunk)
      logProbabilityBackward(recording, { logits, ...shared, ...chunk, coefficients, entropyCoefficients })
      if (target) {
        const out = rowsOf(target.gradient, firstRow)
        const { accumulate } = target
        matmul(recording, {
          form: 'nn',
          rows,
          columns: width,
          inner: vocabulary,
          a: logits,
          b: pass.factor(weight, count),
          out,
          accumulate,
        })
      }
      if (weight.gradient) {
        const b = rowsOf(x, firstRow)
        const out = weight.gradient
        matmul(recording, {
          form: 'tn',
          rows: vocabulary,
          columns: width,
          inner: rows,
          a: logits,
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
  const [rows, inner] = hidden.shape
  const columns = weight.shape[0]
  const out = pass.recording.tensor('logits', [rows, columns])
  matmul(pass.recording, { form: 'nt', rows, columns, inner, a: hidden, b: pass.factor(weight, rows), out })
  return out
}

export interface Chunk {
  firstRow: number
  rows: number
}

/** Runs of rows whose logits, so many numbers at most, are computed at once: whole tiles of products where there are some. */
export function rowChunks(count: number, vocabulary: number, most = 2 ** 25): Chunk[] {
  const fitting = Math.max(1, Math.floor(most / vocabulary))
  const size = fitting > 128 ? fitting - (fitting % 128) : fitting
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    return { firstRow: i * size, rows: Math.min(size, count - i * size) }
  })
}
