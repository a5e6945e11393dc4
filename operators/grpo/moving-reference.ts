import type { Config, Fields } from '../../engine/operator.ts'
import { storageOf } from '../../kernels/device/storage-of.ts'
import { parameter } from '../../kernels/networks/parameters.ts'
import { mixWeights } from '../../kernels/networks/training/mix-weights.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { openSafetensors } from '../model/files/safetensors.ts'
import { writeSafetensors } from '../model/files/safetensors-write.ts'
import { readPieces } from '../model/files/tensor-pieces.ts'
import { uploadTensors } from '../model/files/upload.ts'
import { GroupError } from './group-error.ts'

export const referenceFields = {
  referenceEvery: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Move the reference towards the policy each time this number of updates is done; 0: never.',
  },
  referenceShare: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.6,
    description: "The policy's share in the moved reference's weights; 1 copies the policy.",
  },
} as const satisfies Fields

export type ReferenceOptions = Config<typeof referenceFields>

/** Moves the reference after every `referenceEvery` updates to share · policy + (1 − share) · reference (TR-DPO, arXiv:2404.09656). */
export async function moveReference(
  policy: LoadedModel,
  reference: LoadedModel,
  { referenceEvery, referenceShare }: ReferenceOptions,
): Promise<void> {
  if (referenceEvery === 0 || policy.version % referenceEvery !== 0) return
  await mixWeights(policy, reference, movingNames(policy, reference), referenceShare)
}

/** Writes the weights that move, in float32 and so without loss. */
export async function saveReference(
  policy: LoadedModel,
  reference: LoadedModel,
  path: string,
): Promise<void> {
  const tensors = movingNames(policy, reference).map(name => {
    const { value, shape } = parameter(reference.weights, name)
    return { name, shape, dtype: 'F32' as const, chunks: readPieces(reference.device, value) }
  })
  await writeSafetensors(path, tensors)
}

export async function restoreReference(
  policy: LoadedModel,
  reference: LoadedModel,
  path: string,
): Promise<void> {
  const file = await openSafetensors(path)
  const places = movingNames(policy, reference).map(
    name => [name, parameter(reference.weights, name).value] as const,
  )
  await uploadTensors(reference.device, file, new Map(places))
}

/** Names of the trained weights. The reference must have a float32 copy of each: float16 would lose small moves. */
function movingNames(policy: LoadedModel, reference: LoadedModel): string[] {
  return [...policy.weights.byName.values()].flatMap(({ name, value, gradient }) => {
    if (!gradient) return []
    const { value: other, integers } = reference.weights.byName.get(name) ?? {}
    if (other?.type === 'f32' && storageOf(other).buffer !== storageOf(value).buffer) return [name]
    const kept = integers ? 'is held as integers' : other?.type === 'f32' ? "is the policy's" : 'is float16'
    const state = other ? kept : 'is missing'
    throw new GroupError(
      'bad-reference',
      `referenceEvery: a reference that moves must have weights of its own in float32, but ${name} ${state}; open the checkpoint a second time with precision float32 and weights as stored`,
    )
  })
}
