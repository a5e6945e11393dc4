import { sizeOf, type Tensor } from '../device/tensor.ts'

/** The tensor, if it has as many rows of as many columns as a part must give; parts of plugins may be wrong. */
export function ofShape(tensor: Tensor, wanted: readonly number[], part: string): Tensor {
  const found = tensor?.shape ?? []
  if (found.at(-1) === wanted.at(-1) && sizeOf(found) === sizeOf(wanted)) return tensor
  throw new Error(`${part} must give a tensor of shape (${wanted.join(', ')}), gave (${found.join(', ')})`)
}
