import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { resource } from '../../engine/operator.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { isPartial, replaceFileBy } from '../../engine/shared/replace-file.ts'
import { resolvePath } from '../builtin.ts'
import { contentDigest, digestAt } from '../file-digests.ts'

/** Vision features on disk. Any number of processes may use one folder: a file is whole or not there. */
export interface FeatureCache {
  /** The name under which features of these frames of this clip are kept; undefined when the cache is off. */
  keyOf(clip: string, frames: readonly number[], aspect: string): Promise<string | undefined>
  /** The features, or undefined when they are not kept. */
  get(key: string): Promise<Float32Array<ArrayBuffer> | undefined>
  /** Keeps features, and drops those not used for longest until all fit. */
  put(key: string, features: Float32Array): Promise<void>
}

export default resource({
  summary:
    'Keeps vision features on disk. Their key is the content of the clip, the model and the choice of frames.',
  kind: 'feature-cache',
  config: {
    folder: {
      type: 'string',
      writes: true,
      default: '',
      description: 'Folder of the features; empty switches the cache off.',
    },
    model: { type: 'string', description: 'Checkpoint folder of the model whose features are kept.' },
    maxBytes: {
      type: 'integer',
      minimum: 0,
      default: 10_000_000_000,
      description: 'Bytes that all features together may take; a single one may be larger for a moment.',
    },
  },
  open: ({ folder, model, maxBytes }) => openFeatureCache(folder, model, maxBytes),
  close: () => {},
})

export async function openFeatureCache(
  folder: string,
  model: string,
  maxBytes: number,
): Promise<FeatureCache> {
  if (folder === '') return { keyOf: async () => undefined, get: async () => undefined, put: async () => {} }
  makeFolder(folder)
  const weights = await digestOfModel(resolvePath(model, 'model'))
  const pathOf = (key: string) => join(folder, `${key}.f32`)
  return {
    async keyOf(clip, frames, aspect) {
      const parts = [weights, frames, aspect, await digestAt(clip)]
      return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
    },
    async get(key) {
      try {
        const path = pathOf(key)
        const { buffer, byteOffset, byteLength } = await readFile(path)
        await utimes(path, new Date(), new Date())
        return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer) // never shared
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
    },
    async put(key, features) {
      const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength)
      await replaceFileBy(pathOf(key), partial => writeFile(partial, bytes))
      await shrink(folder, maxBytes)
    },
  }
}

/** Removes the files not used for longest, and what a killed process left unfinished an hour ago. */
async function shrink(folder: string, maxBytes: number): Promise<void> {
  const files: { path: string; size: number; usedMs: number }[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined) // another process may have removed it
    if (!found) continue
    const isLeftOver = isPartial(name) && Date.now() - found.mtimeMs > 3_600_000
    if (isLeftOver) await rm(path, { force: true })
    else if (name.endsWith('.f32')) files.push({ path, size: found.size, usedMs: found.mtimeMs })
  }
  let total = files.reduce((sum, { size }) => sum + size, 0)
  for (const { path, size } of files.sort((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes) return
    await rm(path, { force: true })
    total -= size
  }
}

/** Of the content of the weights and of what goes with them, so that a copy of the model has the same features. */
async function digestOfModel(folder: string): Promise<string> {
  const names = await readdir(folder)
  return contentDigest(
    folder,
    names.filter(name => /^[^.].*\.(safetensors|json)$/.test(name)),
  )
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
