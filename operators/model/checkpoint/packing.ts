import type { PackedPart, Packing } from '../../../kernels/weights/packed-rows.ts'
import type { FloatFormat } from '../files/float-formats.ts'
import type { Shape } from '../parts/part.ts'
import { type ConfigFields, shown } from './config-fields.ts'

/** Integers of a checkpoint, as `quantization_config` says. */
export interface StoredIntegers extends Packing {
  /** Parts of the names of modules whose weights are floats all the same. */
  readonly kept: readonly string[]
}

/** A weight of a checkpoint. */
export interface StoredTensor {
  readonly shape: readonly number[]
  /** Of its elements; of integers, of their scales. */
  readonly dtype: FloatFormat
  /** How its integers are packed, in several tensors of the files; undefined: it is one tensor of floats. */
  readonly packing?: Packing
}

/** How the checkpoint packs integers; undefined for one of floats. What cannot be read is a problem that says what can. */
export function parsePacking(model: ConfigFields): StoredIntegers | undefined {
  if (!model.has('quantization_config')) return undefined
  const fields = model.object('quantization_config')
  const method = fields.raw('quant_method')
  if (method === 'awq') return parseAwq(fields)
  if (method === 'gptq') return parseGptq(fields)
  const why = method === 'bitsandbytes' ? ': its weights need its own library' : ''
  const message = `${shown(method)} is not supported${why}; supported: awq, gptq. Take the checkpoint of floats that it was made from, with weights int4 or int8 of the resource model`
  fields.problem('quant_method', message, 'unsupported-model')
  return undefined
}

/** The layout `gemm` of AutoAWQ. */
function parseAwq(fields: ConfigFields): StoredIntegers {
  fields.only('version', 'gemm', 'GEMM')
  fields.only('zero_point', true)
  const bits = fields.oneOf('bits', [4], 4)
  const kept = fields.raw('modules_to_not_convert') ?? []
  const names = Array.isArray(kept) ? kept.filter(name => typeof name === 'string') : []
  return { method: 'awq', bits, groupSize: groupSize(fields), zeroOffset: 0, kept: names }
}

function parseGptq(fields: ConfigFields): StoredIntegers {
  if ((fields.raw('desc_act') ?? false) !== false)
    fields.problem(
      'desc_act',
      'true is not supported: its groups are not neighbours in a row; take a checkpoint that was made with desc_act false',
      'unsupported-model',
    )
  fields.only('pack_dtype', 'int32')
  const bits = fields.oneOf('bits', [4, 8], 4)
  const version = fields.oneOf('checkpoint_format', ['gptq', 'gptq_v2'], 'gptq')
  return {
    method: 'gptq',
    bits,
    groupSize: groupSize(fields),
    zeroOffset: version === 'gptq' ? 1 : 0,
    kept: [],
  }
}

/** -1 means one group a row. */
function groupSize(fields: ConfigFields): number {
  const found = fields.raw('group_size')
  if (found === -1) return wholeRow
  const size = fields.integer('group_size', { minimum: 8, fallback: 128 })
  if (size % 8 === 0) return size
  fields.problem('group_size', `must be a multiple of 8, got ${size}`)
  return 128
}

/** A multiple of 8 that no row exceeds. */
const wholeRow = 2 ** 24

/** A tensor that holds a part of a matrix's integers. */
export interface StoredPart {
  /** What the name has in place of `weight`. */
  readonly end: string
  readonly shape: Shape
  readonly part: PackedPart | 'order'
}

/** The tensors of the weight of a linear layer (outputs, inputs); `g_idx` of GPTQ says in which group each input is. */
export function partsOf(
  [outputs = 0, inputs = 0]: Shape,
  { method, bits, groupSize }: Packing,
): StoredPart[] {
  const groups = Math.ceil(inputs / groupSize)
  const packed = (count: number) => Math.ceil((count * bits) / 32)
  const shape = method === 'awq' ? [inputs, packed(outputs)] : [packed(inputs), outputs]
  return [
    { end: 'qweight', shape, part: 'integers' },
    { end: 'qzeros', shape: [groups, packed(outputs)], part: 'zeros' },
    { end: 'scales', shape: [groups, outputs], part: 'scales' },
    ...(method === 'gptq' ? [{ end: 'g_idx', shape: [inputs], part: 'order' } as const] : []),
  ]
}

/** Whether this library would pack the weight: of a linear layer in a block of the language model. For estimates. */
export const isPacked = (name: string, shape: Shape, { kept }: Pick<StoredIntegers, 'kept'>): boolean =>
  shape.length === 2 &&
  name.startsWith('language_model.model.layers.') &&
  !kept.some(module => name.includes(module))
