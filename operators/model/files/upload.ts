import type { FileHandle } from 'node:fs/promises'
import { at } from '../../../engine/shared/at.ts'
import { align, type Device } from '../../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../../kernels/device/tensor.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import type { IntegerMatrix } from '../../../kernels/weights/integers.ts'
import { type PackedRows, unpackRows } from '../../../kernels/weights/packed-rows.ts'
import { quantiseRows } from '../../../kernels/weights/quantise.ts'
import { storeElements } from '../../../kernels/weights/store-elements.ts'
import { CheckpointError } from './checkpoint-error.ts'
import { bytesPerElement, type FloatFormat, isFloatFormat } from './float-formats.ts'
import { readTensor, readWhole, type SafetensorsFile, unsupportedDtype, withFile } from './safetensors.ts'

/**
 * Fills tensors on the GPU (f32, f16, or rounded to integers) from the tensors of the same names in the file, converted on the GPU. The file is
 * read into mapped memory that the GPU copies from, a few pieces at a time; memory is reused when its copy is done.
 * Returns the number of values beyond float16's range, which are set to its largest number. A value that is NaN or infinite is
 * an error: what is computed with it would be no number either.
 */
export async function uploadTensors(
  device: Device,
  file: SafetensorsFile,
  tensors: ReadonlyMap<string, Place>,
  { largestPiece = 32 * 2 ** 20, piecesInFlight = 4 } = {},
): Promise<number> {
  const end = Math.max(8, ...[...file.tensors.values()].map(tensor => tensor.end))
  const units = [...tensors.values()].map(to => unitOf(to, bytesPerElement.F32))
  const pieceBytes = Math.min(Math.max(largestPiece, align(Math.max(8, ...units))), align(end))
  const pieces = piecesOf(file, tensors, pieceBytes)
  const raw = device.tensor('raw weights', [pieceBytes / 4], 'u32')
  const counts = device.tensor('saturated weights, weights that are no number', [2], 'u32')
  try {
    await withFile(file.path, async handle => {
      const loop = () => upload(device, { path: file.path, handle, pieces, pieceBytes, raw, counts })
      const ends = await Promise.allSettled(Array.from({ length: piecesInFlight }, loop))
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    })
    const [saturated = 0, notFinite = 0] = await device.readIntegers(counts)
    if (notFinite > 0) throw await withoutNumbers(file, tensors.keys(), notFinite)
    return saturated
  } finally {
    device.freeTensor(raw)
    device.freeTensor(counts)
  }
}

/** Of a file with values that are no finite number, the first tensor that has one. */
async function withoutNumbers(
  file: SafetensorsFile,
  names: Iterable<string>,
  count: number,
): Promise<CheckpointError> {
  const isBad = async (name: string): Promise<boolean> => {
    for await (const values of readTensor(file, name)) if (!values.every(Number.isFinite)) return true
    return false
  }
  for (const name of names) {
    const { dtype } = file.tensors.get(name) ?? {}
    if (dtype === undefined || !isFloatFormat(dtype) || !(await isBad(name))) continue
    const message = `${file.path}: tensor ${name}: its values must be finite, found NaN or infinity (${count} in the file)`
    return new CheckpointError({ code: 'not-finite', message })
  }
  return new CheckpointError({ code: 'not-finite', message: `${file.path}: ${count} values are not finite` })
}

/** A tensor of a file that holds a part of a matrix's integers. */
export interface PackedPlace extends Pick<PackedRows, 'part' | 'packing' | 'to'> {
  /** As it is stored. */
  shape: readonly number[]
}

/** Where a tensor of a file goes: as floats, rounded to integers, or as a part of a matrix that is stored as integers. */
export type Place = Tensor | IntegerMatrix | PackedPlace

/**
 * Bytes of a piece that must not be cut: two words of float16 pairs are two elements of any format. Integers come row by row, those
 * that AWQ has packed 8 rows at a time.
 */
function unitOf(to: Place, elementBytes: number): number {
  if ('packing' in to) {
    const rows = to.packing.method === 'awq' && to.part === 'integers' ? 8 : 1
    return rows * at(to.shape, 1) * elementBytes
  }
  return 'integers' in to ? at(to.shape, 1) * elementBytes : 8
}

/** A stretch of a file and the elements in it. */
interface Piece {
  begin: number
  end: number
  parts: { to: Place; format: FloatFormat; begin: number; first: number; count: number }[]
}

interface Loop {
  path: string
  handle: FileHandle
  /** Shared by all loops: each takes the next piece. */
  pieces: Iterator<Piece>
  pieceBytes: number
  raw: Tensor
  counts: Tensor
}

/** Takes pieces until there are none: reads one into mapped memory, then has the GPU copy and convert it. */
async function upload(device: Device, of: Loop): Promise<void> {
  const { path, handle, pieces, pieceBytes, raw, counts } = of
  const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC
  const staging = device.gpu.createBuffer({ label: 'weights to upload', size: pieceBytes, usage })
  try {
    for (let next = pieces.next(); !next.done; next = pieces.next()) {
      const { begin, end, parts } = next.value
      await staging.mapAsync(GPUMapMode.WRITE)
      await readWhole(path, handle, begin, new Uint8Array(staging.getMappedRange(), 0, end - begin))
      staging.unmap()
      const recording = new Recording(device)
      for (const { to, ...part } of parts) {
        const source = { ...part, raw, at: (part.begin - begin) / 2, counts }
        const columns = to.shape[1] ?? 1
        const rows = { rows: part.count / columns, firstRow: part.first / columns }
        if ('packing' in to) unpackRows(recording, { ...source, ...rows, ...to })
        else if ('integers' in to) quantiseRows(recording, { ...source, ...rows, to })
        else storeElements(recording, { ...source, to })
      }
      const compiled = await compile(device, recording, 'upload')
      const encoder = device.gpu.createCommandEncoder()
      // All loops share one buffer: the queue finishes the conversion of a piece before the copy of the next.
      if (raw.storage)
        encoder.copyBufferToBuffer(staging, 0, raw.storage.buffer, 0, Math.ceil((end - begin) / 4) * 4)
      device.submit(encoder)
      compiled.run()
      compiled.free()
    }
  } catch (error) {
    // The other loops find no more pieces.
    pieces.return?.()
    throw error
  } finally {
    staging.destroy()
  }
}

/** The wanted tensors in the order of the file, cut where a piece is full, a gap lies between them or alignment ends. */
function* piecesOf(
  { path, tensors }: SafetensorsFile,
  wanted: ReadonlyMap<string, Place>,
  pieceBytes: number,
): Generator<Piece> {
  let piece: Piece = { begin: 0, end: 0, parts: [] }
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin)
  for (const [name, { dtype, begin, end }] of inOrder) {
    const to = wanted.get(name)
    if (!to) continue
    // Words of integers are read as those of float32.
    const format = dtype === 'I32' && 'packing' in to ? 'F32' : dtype
    if (!isFloatFormat(format)) throw new CheckpointError(unsupportedDtype(path, name, dtype))
    const size = bytesPerElement[format]
    if ((end - begin) / size !== sizeOf(to.shape)) {
      const message = `${path}: tensor ${name}: must hold ${sizeOf(to.shape)} elements, got ${(end - begin) / size}`
      throw new CheckpointError({ code: 'wrong-shape', message })
    }
    for (let at = begin; at < end; ) {
      const room = pieceBytes - (piece.end - piece.begin)
      const bytes = Math.min(end - at, room - (room % unitOf(to, size)))
      if (piece.end !== at || (at - piece.begin) % 2 !== 0 || bytes <= 0) {
        if (piece.parts.length > 0) yield piece
        piece = { begin: at, end: at, parts: [] }
        continue
      }
      piece.parts.push({ to, format, begin: at, first: (at - begin) / size, count: bytes / size })
      piece.end += bytes
      at += bytes
    }
  }
  if (piece.parts.length > 0) yield piece
}
