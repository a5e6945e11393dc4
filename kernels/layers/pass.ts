import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import { add } from '../elementwise/activations.ts'
import { copy } from '../elementwise/copy.ts'
import type { Recording } from '../plan/recording.ts'
import { dequantise } from '../weights/dequantise.ts'
import type { IntegerMatrix } from '../weights/integers.ts'

/** A weight of the model. It is trained when it has a gradient. */
export interface Parameter {
  readonly name: string
  readonly shape: readonly number[]
  /** f32 or f16 of this shape; of a weight that is held as integers, those. */
  readonly value: Tensor
  /** Of a frozen matrix that is held as integers: these. Only linear layers, heads and lookups of rows read it. */
  readonly integers?: IntegerMatrix
  /** Accumulates over passes until the optimizer clears it. */
  readonly gradient?: Tensor
  /** Added to this weight by the linear layer that uses it. */
  readonly adapter?: Adapter
}

/** Low-rank adaptation (LoRA): the weight (outputs, inputs) acts as value + scale · up · down. */
export interface Adapter {
  /** (rank, inputs) */
  readonly down: Parameter
  /** (outputs, rank) */
  readonly up: Parameter
  readonly scale: number
}

/**
 * One pass over a network while it is recorded. Each layer records the dispatches of its forward and registers a function that
 * records those of its backward; `backward` calls these functions in reverse order. Gradients are recorded only for tensors
 * that are computed from a trained parameter.
 */
export class Pass {
  readonly recording: Recording
  /** False for inference: no backward is registered, even if parameters are trained. */
  readonly training: boolean
  readonly #wanted = new Set<Tensor>()
  readonly #gradients = new Map<Tensor, Tensor>()
  readonly #factors = new Map<Tensor, Tensor>()
  readonly #halved = new Set<Tensor>()
  #backward: (() => void)[] = []
  /** The depth of nested `recomputed` forwards: while it is not 0, no backward is registered. */
  #recomputedDepth = 0

  constructor(recording: Recording, training: boolean) {
    this.recording = recording
    this.training = training
  }

  /** A layer's output. It wants a gradient (f32) if an input wants one or a parameter has one. */
  output(
    label: string,
    shape: readonly number[],
    inputs: readonly (Tensor | undefined)[],
    parameters: readonly (Parameter | undefined)[] = [],
    type: FloatType = 'f32',
  ): Tensor {
    const tensor = this.recording.tensor(label, shape, type)
    const wanted = inputs.some(x => x && this.#wanted.has(x)) || parameters.some(p => p?.gradient)
    if (this.training && wanted) this.#wanted.add(tensor)
    return tensor
  }

  /**
   * A weight as the matrix (outputs, inputs) for products with `rows` rows. With products in float16, a trained weight, which
   * is stored in float32, is rounded once a pass instead of each time that it is read. A convolution's weight (outputs,
   * channels, patch, patch) becomes a matrix (outputs, channels · patch · patch). Integers become floats in memory that belongs to the product alone, since the floats of
   * all weights must never be there together: ask again for the next one.
   */
  factor({ name, value, integers }: Parameter, rows: number): Tensor {
    const { recording } = this
    if (integers) {
      const floats = recording.tensor(`${name} as floats`, integers.shape, recording.factorType)
      dequantise(recording, { from: integers, out: floats })
      return floats
    }
    const outputs = value.shape[0]
    const shape = [outputs, sizeOf(value.shape) / outputs]
    // A product of few rows reads the weight about as often as rounding it would.
    if (rows <= 64 || recording.factorType === value.type || recording.factorType === 'f32')
      return { ...value, shape }
    const earlier = this.#factors.get(value)
    if (earlier) return earlier
    const factor = recording.tensor(`${name} as float16`, shape, 'f16')
    copy(recording, { from: value, into: factor })
    this.#factors.set(value, factor)
    return factor
  }

  /**
   * A tensor of float32 as the factor of products: where products round to float16, it is rounded once instead of each time that a
   * product reads it, twice as many bytes at a time. Must be asked for again after the tensor has changed.
   */
  rounded(tensor: Tensor): Tensor {
    const { recording } = this
    if (tensor.type === recording.factorType || recording.factorType === 'f32' || tensor.shape[0] <= 64)
      return tensor
    const factor = recording.tensor(`${tensor.label} as float16`, tensor.shape, 'f16')
    copy(recording, { from: tensor, into: factor })
    return factor
  }

  wants(tensor: Tensor): boolean {
    return this.#wanted.has(tensor)
  }

  /** Registers the backward of the layer that computes `output`; it is skipped if the output gets no gradient. */
  onBackward(output: Tensor, record: (gradient: Tensor) => void): void {
    if (!this.wants(output) || this.#recomputedDepth > 0) return
    this.#backward.push(() => {
      const gradient = this.#gradients.get(output)
      if (gradient) record(gradient)
    })
  }

  /** The tensor to which a layer writes its part of the gradient of `tensor`: the first part overwrites, later ones are added. */
  into(tensor: Tensor): { gradient: Tensor; accumulate: boolean } {
    const earlier = this.#gradients.get(tensor)
    if (earlier) return { gradient: earlier, accumulate: true }
    const type = this.#halved.has(tensor) ? tensor.type : 'f32'
    const gradient = this.recording.tensor(`d ${tensor.label}`, tensor.shape, type)
    this.#gradients.set(tensor, gradient)
    return { gradient, accumulate: false }
  }

  /** Gives the gradient the type of the tensor: only if one layer writes it, and products, or kernels that accept float16, read it. */
  keepGradientType(tensor: Tensor): void {
    this.#halved.add(tensor)
  }

  /** Starts the backward at `tensor`: the host writes its gradient into `coefficients`. */
  coefficients(tensor: Tensor, coefficients: Tensor): void {
    this.#gradients.set(tensor, coefficients)
  }

  /** Passes a gradient on unchanged. The layer may not use it afterwards: the tensor itself becomes the gradient of `tensor`. */
  adopt(tensor: Tensor, gradient: Tensor): void {
    if (!this.wants(tensor)) return
    const earlier = this.#gradients.get(tensor)
    if (earlier) add(this.recording, gradient, earlier)
    else this.#gradients.set(tensor, gradient)
  }

  /**
   * The output of the layers that `record` records. Their activations are not kept: the backward records the layers once more
   * (gradient checkpointing, Chen et al., arXiv:1604.06174). The gradients are the same to the bit.
   */
  recomputed(record: () => Tensor): Tensor {
    if (!this.training) return record()
    this.#recomputedDepth++
    const output = record()
    this.#recomputedDepth--
    const { saturated } = this.recording
    this.onBackward(output, gradient => {
      const earlierLayers = this.#backward
      this.#backward = []
      const ofBackward = this.recording.saturated
      this.recording.saturated = saturated
      const secondOutput = record()
      this.recording.saturated = ofBackward
      this.adopt(secondOutput, gradient)
      this.backward()
      this.#backward = earlierLayers
    })
    return output
  }

  /** Records the backward of all layers, last first. */
  backward(): void {
    for (let record = this.#backward.pop(); record; record = this.#backward.pop()) record()
  }
}
