import { rowWords } from '../../../kernels/weights/integers.ts'
import type { CheckpointProblem } from '../files/checkpoint-error.ts'
import { isFloatFormat } from '../files/float-formats.ts'
import { readBytes, type SafetensorsFile } from '../files/safetensors.ts'
import type { Shape } from '../parts/part.ts'
import type { ModelConfig } from './model-config.ts'
import { partsOf, type StoredPart, type StoredTensor } from './packing.ts'

interface Files {
  config: ModelConfig
  /** The file of each tensor, by our own name. */
  homes: ReadonlyMap<string, SafetensorsFile>
}

/** The name of a part of a weight's integers. */
export const partName = (weight: string, { end }: Pick<StoredPart, 'end'>): string =>
  weight.replace(/weight$/, end)

/**
 * The weight that the files hold as integers, and the names of the tensors in which they do, each checked; undefined where they
 * hold no integers of it.
 */
export function matchPacked(
  own: string,
  shape: Shape,
  { config, homes, problems }: Files & { problems: CheckpointProblem[] },
): { stored: StoredTensor; names: readonly string[] } | undefined {
  const { integers: packing } = config
  if (!packing || !own.endsWith('.weight') || !homes.has(partName(own, { end: 'qweight' }))) return undefined
  const [outputs = 0, inputs = 0] = shape
  const each = 32 / packing.bits
  if (outputs % each !== 0 || inputs % 8 !== 0 || shape.length !== 2)
    problems.push({
      code: 'unsupported-model',
      message: `${own}: integers of ${packing.bits} bits must have outputs that ${each} divides and inputs that 8 divides, got (${shape.join(', ')})`,
    })
  const names: string[] = []
  let dtype: StoredTensor['dtype'] = 'F16'
  for (const part of partsOf(shape, packing)) {
    const name = config.names.stored(partName(own, part))
    const file = homes.get(partName(own, part))
    const entry = file?.tensors.get(name)
    if (!file || !entry) {
      // Without it the groups are neighbours.
      if (part.part === 'order') continue
      const message = `no tensor ${name} of shape (${part.shape.join(', ')}), which goes with ${own}`
      problems.push({ code: 'missing-tensor', message })
      continue
    }
    names.push(partName(own, part))
    const wanted = part.part === 'scales' ? 'F16, BF16 or F32' : 'I32'
    const isRight = part.part === 'scales' ? isFloatFormat(entry.dtype) : entry.dtype === 'I32'
    if (!isRight)
      problems.push({
        code: 'unsupported-dtype',
        message: `${file.path}: tensor ${name}: must be ${wanted}, got ${entry.dtype}`,
      })
    if (entry.shape.join() !== part.shape.join())
      problems.push({
        code: 'wrong-shape',
        message: `${file.path}: tensor ${name}: config.json says shape (${part.shape.join(', ')}), got (${entry.shape.join(', ')})`,
      })
    if (part.part === 'scales' && isFloatFormat(entry.dtype)) dtype = entry.dtype
  }
  return { stored: { shape, dtype, packing }, names }
}

/** Adds a problem for each weight whose inputs are not in groups of neighbours, as `g_idx` of GPTQ may say. */
export async function checkOrder(
  { config, tensors, homes }: Files & { tensors: ReadonlyMap<string, StoredTensor> },
  problems: CheckpointProblem[],
): Promise<void> {
  for (const [own, { packing }] of tensors) {
    const name = partName(own, { end: 'g_idx' })
    const file = packing?.method === 'gptq' ? homes.get(name) : undefined
    if (!file || !packing) continue
    let input = 0
    let isInOrder = true
    for await (const bytes of readBytes(file, config.names.stored(name))) {
      const groups = new Int32Array(bytes.slice().buffer)
      for (const group of groups) isInOrder &&= group === Math.floor(input++ / packing.groupSize)
    }
    if (isInOrder) continue
    const message = `${file.path}: tensor ${config.names.stored(name)}: its groups are not neighbours in a row, as desc_act makes them, which is not supported`
    problems.push({ code: 'unsupported-model', message })
  }
}

/** Bytes of a weight's integers on the GPU. */
export function packedBytes({ shape, packing }: StoredTensor): number {
  if (!packing) return 0
  const [outputs = 0, inputs = 0] = shape
  const words = rowWords(inputs, packing)
  return 4 * outputs * (words.integers + words.groups)
}
