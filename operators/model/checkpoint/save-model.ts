import { copyFile, mkdir, readdir } from '../../../engine/platform/files.ts'
import { basename, join } from '../../../engine/platform/paths.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import type { Parameter } from '../../../kernels/layers/pass.ts'
import { parameter } from '../../../kernels/networks/parameters.ts'
import type { VideoModel } from '../../../kernels/networks/video-model.ts'
import { fromFloat32, isFloatFormat } from '../files/float-formats.ts'
import { openSafetensors, readBytes, readHeaderBytes, type SafetensorsFile } from '../files/safetensors.ts'
import { writeSafetensors } from '../files/safetensors-write.ts'
import { readNumber, writeNumber } from '../files/state-file.ts'
import { readPieces } from '../files/tensor-pieces.ts'
import { uploadTensors } from '../files/upload.ts'
import { writeWholeFile } from '../files/whole-file.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { type LoadedModel, placesOf } from './load-model.ts'
import { writeOwnParts } from './own-parts.ts'

/**
 * Writes the model like the folder that it came from: the same files, names, shapes, types and order of tensors;
 * untrained tensors are copied byte for byte. A subfolder `exact/` has the trained weights in float32 where the stored
 * type would round them.
 */
export async function saveModel(
  checkpoint: Checkpoint,
  model: LoadedModel,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  await exportModel(checkpoint, model, folder, signal)
  const exact = join(folder, exactFolder)
  await mkdir(exact)
  await writeNumber(join(exact, stateName), 'version', model.version)
  const rounded = trainedNames(model, checkpoint).filter(
    name => checkpoint.tensors.get(name)?.dtype !== 'F32',
  )
  if (rounded.length === 0) return
  const tensors = rounded.map(name => {
    const { value, shape } = parameter(model.weights, name)
    const stored = model.config.names.stored(name)
    return { name: stored, shape, dtype: 'F32' as const, chunks: readPieces(model.device, value, signal) }
  })
  await writeSafetensors(join(exact, weightsName), tensors)
}

/** Sets a model that was opened from its original folder to the weights and the version that `saveModel` wrote. */
export async function restoreModel(model: LoadedModel, folder: string): Promise<void> {
  const saved = await openCheckpoint(folder)
  const names = trainedNames(model, saved)
  const rounded = names.some(name => saved.tensors.get(name)?.dtype !== 'F32')
  const exact = rounded ? await openSafetensors(join(folder, exactFolder, weightsName)) : undefined
  const places = placesOf(model.config, model.weights, names)
  // The exact weights come last and replace the rounded ones.
  for (const file of [...saved.files, ...(exact ? [exact] : [])])
    await uploadTensors(model.device, file, places)
  model.version = await readNumber(join(folder, exactFolder, stateName), 'version')
}

/**
 * Writes a folder that `openCheckpoint` and every reader of Hugging Face folders can read. Each file of weights has the
 * header of the file that it came from. Unchanged tensors are copied; changed ones are rounded to the stored type, to
 * nearest, ties to even.
 */
export async function exportModel(
  checkpoint: Checkpoint,
  model: VideoModel,
  folder: string,
  signal?: AbortSignal,
  changed: (weight: Parameter) => boolean = ({ gradient }) => gradient !== undefined,
): Promise<void> {
  makeFolder(folder)
  const names = (await readdir(checkpoint.folder)).filter(name => otherFiles.test(name))
  for (const name of names) await copyFile(join(checkpoint.folder, name), join(folder, name))
  writeOwnParts(folder, checkpoint.config.ownParts)
  for (const file of checkpoint.files)
    await writeWholeFile(
      join(folder, basename(file.path)),
      fileLike(file, { checkpoint, model, signal, changed }),
    )
}

const exactFolder = 'exact'
const weightsName = 'weights.safetensors'
const stateName = 'state.json'

/** Names of the files of a model other than weights. */
export const otherFiles =
  /^((config|asked|parts|generation_config|((video_)?pre)?processor_config|tokenizer(_config)?|special_tokens_map|added_tokens|vocab|chat_template|model\.safetensors\.index)\.json|merges\.txt|tokenizer\.model|chat_template\.jinja)$/

interface Sources {
  checkpoint: Checkpoint
  model: VideoModel
  signal: AbortSignal | undefined
  changed: (weight: Parameter) => boolean
}

/** The bytes of a file with the header of another one and the trained tensors of the model. */
async function* fileLike(file: SafetensorsFile, sources: Sources): AsyncGenerator<Uint8Array> {
  yield await readHeaderBytes(file)
  const inOrder = [...file.tensors].sort(([, a], [, b]) => a.begin - b.begin)
  for (const [name] of inOrder) yield* bytesOf(file, name, sources)
}

async function* bytesOf(
  file: SafetensorsFile,
  name: string,
  { checkpoint, model, signal, changed }: Sources,
): AsyncGenerator<Uint8Array> {
  const { language, names } = checkpoint.config
  const found = names.own(name)
  const own = language.network.tied && found === tiedHead ? embedding : found
  const weight = model.weights.byName.get(own)
  const dtype = file.tensors.get(name)?.dtype ?? ''
  if (!weight || !changed(weight) || !isFloatFormat(dtype)) {
    for await (const bytes of readBytes(file, name)) {
      signal?.throwIfAborted()
      yield bytes
    }
  } else {
    for await (const values of readPieces(model.device, weight.value, signal))
      yield fromFloat32(values, dtype)
  }
}

/** Released folders store a tied head a second time. */
const tiedHead = 'language_model.lm_head.weight'
const embedding = 'language_model.model.embed_tokens.weight'

/** Without the matrices of adapters, which are no tensors of the checkpoint. */
const trainedNames = ({ weights }: VideoModel, { tensors }: Checkpoint): string[] =>
  [...weights.byName.values()].flatMap(({ name, gradient }) => (gradient && tensors.has(name) ? [name] : []))
