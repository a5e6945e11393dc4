import { Buffer, type FileHandle, open } from '../../../engine/platform/files.ts'
import { notAFile } from '../../../engine/shared/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { readInto } from '../../../engine/shared/read-into.ts'
import { CheckpointError, type CheckpointProblem, throwProblems } from './checkpoint-error.ts'
import { bytesPerElement, isFloatFormat, toFloat32 } from './float-formats.ts'
import { fileProblem } from './json-file.ts'

/** A safetensors file whose header has been checked against its size; no tensor has been read. */
export interface SafetensorsFile {
  readonly path: string
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
}

export interface TensorEntry {
  /** As stored: F32, BF16, U8, ... */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Its bytes in the file: from `begin` up to, without, `end`. */
  readonly begin: number
  readonly end: number
}

/**
 * Reads and checks a file's header: an 8-byte little-endian length, then JSON with dtype, shape and byte range of
 * each tensor. The ranges must fill the rest of the file without overlap or gap. All faults are thrown together.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return withFile(path, async handle => {
    const { size } = await handle.stat()
    const text = await readHeader(path, handle, size)
    return parseHeader(path, text, size)
  })
}

/** A tensor as float32 in row-major order, read in pieces of at most `chunkBytes` of the file. */
export async function* readTensor(
  file: SafetensorsFile,
  name: string,
  chunkBytes = 16 * 2 ** 20,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { dtype } = entryOf(file, name)
  if (!isFloatFormat(dtype)) throw new CheckpointError(unsupportedDtype(file.path, name, dtype))
  const step = chunkBytes - (chunkBytes % bytesPerElement[dtype])
  for await (const bytes of readBytes(file, name, step)) yield toFloat32(bytes, dtype)
}

/** A tensor's bytes as stored, in pieces of at most `chunkBytes`. */
export async function* readBytes(
  file: SafetensorsFile,
  name: string,
  chunkBytes = 16 * 2 ** 20,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { begin, end } = entryOf(file, name)
  const handle = await openForReading(file.path)
  try {
    for (let at = begin; at < end; at += chunkBytes) {
      yield await readExactly(file.path, handle, at, Math.min(chunkBytes, end - at))
    }
  } finally {
    await handle.close()
  }
}

/** Everything before the first tensor's bytes, as stored. */
export function readHeaderBytes(file: SafetensorsFile): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(file.path, async handle => {
    const start = await readExactly(file.path, handle, 0, 8)
    const length = 8 + Number(new DataView(start.buffer).getBigUint64(0, true))
    return readExactly(file.path, handle, 0, length)
  })
}

export const unsupportedDtype = (path: string, name: string, dtype: string): CheckpointProblem => ({
  code: 'unsupported-dtype',
  message: `${path}: tensor ${name}: dtype ${dtype} cannot be read as weights; supported: F32, F16, BF16`,
})

const maximumHeaderBytes = 100_000_000

/** Bytes of an element of every type that the format knows. */
const elementBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
}

async function readHeader(path: string, handle: FileHandle, size: number): Promise<string> {
  const fail = (code: 'truncated-file' | 'bad-header', rule: string) =>
    new CheckpointError({ code, message: `${path}: ${rule}` })
  if (size < 8) throw fail('truncated-file', `truncated: ${size} bytes, a header needs at least 8`)
  const start = await readExactly(path, handle, 0, 8)
  const length = new DataView(start.buffer).getBigUint64(0, true)
  if (length > maximumHeaderBytes || length < 2n) {
    const rule = `header length must be 2 to ${maximumHeaderBytes} bytes, got ${length}`
    throw fail('bad-header', `${rule}; is this a safetensors file?`)
  }
  if (8 + Number(length) > size) {
    throw fail(
      'truncated-file',
      `truncated: the header takes ${8 + Number(length)} bytes, the file has ${size}`,
    )
  }
  const bytes = await readExactly(path, handle, 8, Number(length))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw fail('bad-header', 'the header is not UTF-8')
  }
}

function parseHeader(path: string, text: string, size: number): SafetensorsFile {
  const header = parseRecord(path, text)
  const dataBegin = 8 + Buffer.byteLength(text)
  const problems: CheckpointProblem[] = []
  const tensors = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = stringsOf(value)
    else {
      const entry = parseEntry(value, dataBegin)
      if (typeof entry !== 'string') tensors.set(name, entry)
      else problems.push({ code: 'bad-tensor', message: `${path}: tensor ${name}: ${entry}` })
    }
  }
  throwProblems(problems)
  throwProblems(layoutProblems(path, tensors, dataBegin, size))
  return { path, tensors, metadata }
}

function parseRecord(path: string, text: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(text)
    if (isObject(header)) return header
  } catch {
    // Falls through: text that is not JSON and JSON that is no object are the same fault.
  }
  throw new CheckpointError({ code: 'bad-header', message: `${path}: the header is not a JSON object` })
}

/** The entry, or what is wrong with it. */
function parseEntry(value: unknown, dataBegin: number): TensorEntry | string {
  if (!isObject(value)) return `must be an object, got ${JSON.stringify(value)}`
  const { dtype, shape, data_offsets: offsets } = value
  const width = typeof dtype === 'string' ? elementBytes[dtype] : undefined
  if (typeof dtype !== 'string' || width === undefined) return `unknown dtype ${JSON.stringify(dtype)}`
  if (!isCounts(shape)) return `shape must be a list of whole numbers, got ${JSON.stringify(shape)}`
  if (!isCounts(offsets) || offsets.length !== 2) {
    return `data_offsets must be two whole numbers, got ${JSON.stringify(offsets)}`
  }
  const [begin = 0, end = 0] = offsets
  const bytes = shape.reduce((product, extent) => product * extent, width)
  if (end - begin !== bytes) {
    return `${dtype} of shape (${shape.join(', ')}) takes ${bytes} bytes, data_offsets [${begin}, ${end}] hold ${end - begin}`
  }
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end }
}

/** Walks the tensors in file order: each must begin where the one before it ended, the last at the file's end. */
function layoutProblems(
  path: string,
  tensors: ReadonlyMap<string, TensorEntry>,
  dataBegin: number,
  size: number,
): CheckpointProblem[] {
  const problems: CheckpointProblem[] = []
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let reached = dataBegin
  let before = 'the header'
  for (const [name, { begin, end }] of inOrder) {
    const found = `tensor ${name} begins at byte ${begin}, ${before} ends at ${reached}`
    if (begin < reached) problems.push({ code: 'overlapping-tensors', message: `${path}: overlap: ${found}` })
    if (begin > reached) problems.push({ code: 'gap-in-file', message: `${path}: gap: ${found}` })
    if (end > size) {
      const message = `${path}: truncated: tensor ${name} ends at byte ${end}, the file has ${size}`
      problems.push({ code: 'truncated-file', message })
    }
    if (end >= reached) before = `tensor ${name}`
    reached = Math.max(reached, end)
  }
  if (reached < size) {
    const message = `${path}: gap: ${before} ends at byte ${reached}, the file has ${size}`
    problems.push({ code: 'gap-in-file', message })
  }
  return problems
}

function entryOf(file: SafetensorsFile, name: string): TensorEntry {
  const entry = file.tensors.get(name)
  if (entry) return entry
  throw new CheckpointError({ code: 'missing-tensor', message: `${file.path}: no tensor ${name}` })
}

async function readExactly(path: string, handle: FileHandle, at: number, length: number) {
  const bytes = new Uint8Array(length)
  await readWhole(path, handle, at, bytes)
  return bytes
}

/** Fills `bytes` with the file's from `at` on; a file that ends before is an error. */
export async function readWhole(
  path: string,
  handle: FileHandle,
  at: number,
  bytes: Uint8Array,
): Promise<void> {
  const filled = await readInto(handle, bytes, at)
  if (filled === bytes.length) return
  const message = `${path}: truncated: no byte ${at + filled}, needed up to ${at + bytes.length}`
  throw new CheckpointError({ code: 'truncated-file', message })
}

async function openForReading(path: string): Promise<FileHandle> {
  const fault = notAFile(path)
  if (fault !== undefined) throw new CheckpointError({ code: 'unreadable-file', message: fault })
  return open(path, 'r').catch((cause: unknown) => {
    throw new CheckpointError(fileProblem(path, cause))
  })
}

/** Opens a file for `work` and closes it after. */
export async function withFile<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await openForReading(path)
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(count => Number.isSafeInteger(count) && count >= 0)

const stringsOf = (value: unknown): Record<string, string> =>
  isObject(value)
    ? Object.fromEntries(
        Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
      )
    : {}
