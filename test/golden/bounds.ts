import type { ModelShape } from '../../kernels/networks/shape.ts'
import type { Precision } from '../../kernels/plan/recording.ts'

/** What each quantity of a checkpoint may be off by; relative to a tensor's largest value where nothing else is said. */
export interface Bounds {
  vision: number
  connector: number
  /** Of logits after a clip or of text alone, and of values computed from them row by row. */
  logits: number
  plainLogits: number
  gradients: number
  /** Of a gradient's length, and of the length of all of them. */
  norms: number
  /** The same where sequences pull in opposite directions. */
  groupGradients: number
  groupNorms: number
  /** Of a loss over `tokens` tokens whose log-probabilities are at most `largest` in size. */
  loss(largest: number, tokens: number): number
  /** Of the loss after updates that changed it by `change`. */
  updatedLoss(largest: number, tokens: number, change: number): number
  /** Of KL by token, relative to the largest, `kl`, which compares log-probabilities of at most this size. */
  kl(largest: number, kl: number): number
  /** Of the mean KL, in nats, of tokens up to `kl`. */
  meanKl(largest: number, kl: number): number
  /** Of log-probabilities up to `size`, computed from logits up to `largest`. */
  logProbabilities(largest: number, size: number): number
  /**
   * The error of a weight after updates, as a share of the distance that it moved; undefined: `updated` is the better bound.
   * The gradient of a bias of keys nearly cancels over the `keyBiasIn` positions of a sequence.
   */
  updatedDistance?(largest: number, keyBiasIn?: number): number
}

/** Of an updated weight in single precision. */
export const updated = 2e-3

/** As single precision agrees with double precision; see the numbers' own description. */
const single: Bounds = {
  vision: 2e-5,
  connector: 2e-5,
  logits: 2e-5,
  plainLogits: 2e-5,
  gradients: 2e-4,
  norms: 1e-4,
  groupGradients: 2e-4,
  groupNorms: 1e-4,
  loss: () => 1e-5,
  updatedLoss: () => 1e-4,
  kl: () => 1e-3,
  meanKl: () => 1e-5,
  logProbabilities: () => 2e-5,
}

/**
 * Bounds of a model of this shape. With products in float16 they follow from the rounding, 2⁻¹¹ at most and 2⁻¹¹ / √3 in
 * the mean square:
 *
 * A dot product of K terms of size t, each of which was rounded, is off by √K · 2⁻¹¹ / √3 · t, since roundings are
 * independent and add in squares. Terms of random sign make the product itself √K · t: relative to that, K cancels. A
 * result of n roundings in a row, of stored values, factors or weights, is therefore off by √(n / 3) · 2⁻¹¹ of its size.
 * n is counted below from the layers of the network. A residual sum is larger than the term added to it, so the relative
 * error of the term shrinks: this is why some bounds are above the measured errors.
 *
 * A tensor's largest error is compared with its largest value. The two are extremes of about equally many numbers, up to a
 * factor that is taken as 2. A length is an average: it needs none. Factors rounded to bfloat16, which is 8 times coarser,
 * break the bounds of logits of text and of half of the gradients, which a test shows.
 */
export function boundsOf(shape: ModelShape, precision: Precision): Bounds {
  if (precision === 'float32') return single
  const vision = visionRoundings(shape.vision.blocks)
  const connector = connectorRoundings(shape.connector.layers)
  const language = languageRoundings(shape.language.layers)
  const forward = vision + connector + language
  const logits = 2 * off(forward)
  // A backward has two products for each of the forward, and those towards the inputs follow one another.
  const backward = forward + connector + language
  // Advantages sum to 0: the part that the sequences' gradients share cancels, and its errors stay. Half is taken as shared.
  const group = Math.SQRT2
  const logProbability = (largest: number): number => logits * largest
  // The mean of independent errors, relative to the greater of 1 and the loss, which is of the size of its terms.
  const loss = (largest: number, tokens: number): number => logProbability(largest) / Math.sqrt(tokens)
  // Near 0 KL is x² / 2 of a difference x of two log-probabilities: its error is x times theirs.
  const kl = (largest: number, most: number): number =>
    (2 * Math.SQRT2 * logProbability(largest)) / Math.sqrt(2 * most)
  return {
    vision: 2 * off(vision),
    connector: 2 * off(vision + connector),
    logits,
    plainLogits: 2 * off(language),
    gradients: 2 * off(backward),
    norms: off(backward),
    groupGradients: group * 2 * off(backward),
    groupNorms: group * off(backward),
    loss,
    updatedLoss: (largest, tokens, change) => loss(largest, tokens) + change * 2 * off(backward),
    kl,
    meanKl: (largest, most) => kl(largest, most) * most,
    logProbabilities: (largest, size) => logProbability(largest) / size,
    // A derivative of logits is off by what its probability is off: by the logits' absolute error.
    updatedDistance: (largest, keyBiasIn) => {
      const error = logProbability(largest) + 2 * off(backward)
      return apart(keyBiasIn === undefined ? [error] : turnsOf(shape.language, keyBiasIn).map(x => error / x))
    },
  }
}

/**
 * The distance between two trainings after a few steps of AdamW, as a share of the distance that the weights moved. The
 * gradients differ by the share `error`. Steps are near ± the learning rate. Two normal numbers with an angle of
 * arctan(error) between them differ in sign in arctan(error) / π of all places, and there the steps are 2 apart. `errors`
 * has one error for each of several parts of equal size.
 */
const apart = (errors: readonly number[]): number =>
  Math.sqrt(errors.reduce((sum, error) => sum + (4 / Math.PI) * Math.atan(error), 0) / errors.length)

/**
 * Softmax ignores an offset that all keys share. A bias of keys therefore acts only through its rotation along the sequence,
 * 1 at most, which is nearly 0 for the slow pairs of a head.
 */
const turnsOf = ({ headSize, ropeTheta }: ModelShape['language'], positions: number): number[] =>
  Array.from({ length: headSize / 2 }, (_, pair) =>
    Math.min(1, positions * ropeTheta ** ((-2 * pair) / headSize)),
  )

/** The relative error of a value after this number of roundings to float16. */
export const off = (roundings: number): number => Math.sqrt(roundings / 3) * 2 ** -11

// Roundings to float16 one after another. In a block: norm, projection, probabilities, attended values; norm, activation;
// and the weights of 4 products.
const block = 10

const visionRoundings = (blocks: number): number => block * blocks + 2 // pixels and weights of the patches

export const connectorRoundings = (layers: number): number => block * layers + 2 // features and weights of the projection

// Here rotated heads and both factors of a gated product are stored too. And hidden states and weights of the head.
const languageRoundings = (layers: number): number => (block + 2) * layers + 2
