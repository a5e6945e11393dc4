/** A matrix (rows, columns) in row-major order; a vector is one row. */
export interface Matrix {
  readonly shape: Shape
  readonly data: Float64Array
  /** Derivative of what is differentiated; null where none is wanted. */
  readonly gradient: Float64Array | null
}

export type Shape = readonly [rows: number, columns: number]

/**
 * Remembers operations in the order in which they ran, so that derivatives can walk back through them. Everything is
 * float64 and plain loops: the definition that the kernels are tested against, never a part of the product.
 */
export class Tape {
  readonly #round: ((value: number) => number) | undefined
  readonly #steps: { output: Float64Array; backward: (dy: Float64Array) => void }[] = []

  /** With `round`, products round their factors, those of the derivatives too. */
  constructor(round?: (value: number) => number) {
    this.#round = round
  }

  /** What a product makes of a factor. */
  factor(values: Float64Array): Float64Array {
    return this.#round ? values.map(this.#round) : values
  }

  /** The result of an operation on `inputs`; `backward` adds to their gradients what its derivative `dy` says. */
  result(
    shape: Shape,
    data: Float64Array,
    inputs: readonly Matrix[],
    backward: (dy: Float64Array) => void,
  ): Matrix {
    const result = inputs.some(input => input.gradient) ? variable(shape, data) : constant(shape, data)
    if (result.gradient) this.#steps.push({ output: result.gradient, backward })
    return result
  }

  /** Adds d Σ seedᵢ · outputᵢ to the gradients of all variables that `output` depends on; may be called again. */
  backward(output: Matrix, seed: ArrayLike<number>): void {
    for (const step of this.#steps) step.output.fill(0)
    output.gradient?.set(seed)
    for (const { output: dy, backward } of this.#steps.toReversed()) backward(dy)
  }
}

export function constant(shape: Shape, data: Float64Array): Matrix {
  checkSize(shape, data)
  return { shape, data, gradient: null }
}

export function variable(shape: Shape, data: Float64Array): Matrix {
  checkSize(shape, data)
  return { shape, data, gradient: new Float64Array(data.length) }
}

function checkSize([rows, columns]: Shape, { length }: Float64Array): void {
  if (rows * columns !== length)
    throw new Error(`matrix (${rows}, ${columns}): needs ${rows * columns} values, got ${length}`)
}
