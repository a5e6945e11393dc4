import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import { add } from '../elementwise/activations.ts'
import { copy } from '../elementwise/copy.ts'
import type { Recording } from '../plan/recording.ts'

/** A weight of the model. It is trained when it has a gradient. */
export interface Parameter {
  readonly name: string
  readonly shape: readonly number[]
  readonly value: Tensor
  /** Accumulates over passes until the optimizer clears it. */
  readonly gradient?: Tensor
  /** What a linear layer adds to this weight. */
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
 * One pass over a network while its plan is recorded. Each layer records its forward dispatches at once and hands in
 * its written backward, which `backward` records in reverse order. Gradients are recorded only towards tensors that
 * lead to a trained parameter.
 */
export class Pass {
  readonly recording: Recording
  /** False for inference: no backward is kept, whatever the parameters. */
  readonly training: boolean
  readonly #wanted = new Set<Tensor>()
  readonly #gradients = new Map<Tensor, Tensor>()
  readonly #factors = new Map<Tensor, Tensor>()
  readonly #halved = new Set<Tensor>()
  #backward: (() => void)[] = []
  /** How many `recomputed` forwards are being recorded, whose backward is not kept. */
  #passing = 0

  constructor(recording: Recording, training: boolean) {
    this.recording = recording
    this.training = training
  }

  /** A layer's output, of which the gradient is f32; it wants one when an input or a parameter does. */
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
   * A weight as the matrix (outputs, inputs) that products of so many rows should read: a trained one, which is kept in
   * float32, is rounded once a pass where products are in float16, not each time that it is read. A convolution's weight
   * (outputs, channels, patch, patch) is a matrix (outputs, channels · patch · patch).
   */
  factor({ name, value }: Parameter, rows: number): Tensor {
    const { recording } = this
    const outputs = value.shape[0]
    const shape = [outputs, sizeOf(value.shape) / outputs]
    // Few rows read a weight hardly more often than rounding it does.
    if (rows <= 64 || recording.factorType === value.type || recording.factorType === 'f32')
      return { ...value, shape }
    const known = this.#factors.get(value)
    if (known) return known
    const factor = recording.tensor(`${name} as float16`, shape, 'f16')
    copy(recording, { from: value, into: factor })
    this.#factors.set(value, factor)
    return factor
  }

  wants(tensor: Tensor): boolean {
    return this.#wanted.has(tensor)
  }

  /** Hands in the backward of the layer that made `output`; it is skipped when nobody asks for that gradient. */
  onBackward(output: Tensor, record: (gradient: Tensor) => void): void {
    if (!this.wants(output) || this.#passing > 0) return
    this.#backward.push(() => {
      const gradient = this.#gradients.get(output)
      if (gradient) record(gradient)
    })
  }

  /** Where to write a contribution to the gradient of `tensor`; the first one overwrites, later ones accumulate. */
  into(tensor: Tensor): { gradient: Tensor; accumulate: boolean } {
    const known = this.#gradients.get(tensor)
    if (known) return { gradient: known, accumulate: true }
    const type = this.#halved.has(tensor) ? tensor.type : 'f32'
    const gradient = this.recording.tensor(`d ${tensor.label}`, tensor.shape, type)
    this.#gradients.set(tensor, gradient)
    return { gradient, accumulate: false }
  }

  /** Keeps the gradient in the tensor's own type: only for tensors whose gradient has one writer, and products as readers or kernels that can. */
  keepGradientType(tensor: Tensor): void {
    this.#halved.add(tensor)
  }

  /** Begins the backward at `tensor`: its gradient is what the host writes into `coefficients`. */
  coefficients(tensor: Tensor, coefficients: Tensor): void {
    this.#gradients.set(tensor, coefficients)
  }

  /** Passes a gradient on unchanged. Only for a layer that has no further use for it: the tensor itself is handed over. */
  adopt(tensor: Tensor, gradient: Tensor): void {
    if (!this.wants(tensor)) return
    const known = this.#gradients.get(tensor)
    if (known) add(this.recording, gradient, known)
    else this.#gradients.set(tensor, gradient)
  }

  /**
   * The output of the layers that `record` records, of which nothing is kept: the backward records them once more. The
   * gradients are the same to the bit, for the price of a second forward.
   */
  recomputed(record: () => Tensor): Tensor {
    if (!this.training) return record()
    this.#passing++
    const output = record()
    this.#passing--
    const { saturated } = this.recording
    this.onBackward(output, gradient => {
      const rest = this.#backward
      this.#backward = []
      const counted = this.recording.saturated
      this.recording.saturated = saturated
      const again = record()
      this.recording.saturated = counted
      this.adopt(again, gradient)
      this.backward()
      this.#backward = rest
    })
    return output
  }

  /** Records the backward of all layers, last first. */
  backward(): void {
    for (let record = this.#backward.pop(); record; record = this.#backward.pop()) record()
  }
}
