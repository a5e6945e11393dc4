import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../../engine/operator.ts'
import { codeOf, messageOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { isPartial, replaceFileBy } from '../../engine/shared/replace-file.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import { cacheFolder, resolvePath } from '../builtin.ts'
import { contentDigest, digestAt } from '../file-digests.ts'
import { type CacheSettings, type FeatureCache, featureCache, noFeatures } from './feature-cache.ts'
import { towerDigest } from './tower-digest.ts'

export default featureCache(openFeatureFiles)

/** Features in files of a folder. Any number of processes may use one folder: a file is whole or not there. */
export function openFeatureFiles(
  { folder: named, passes, model, maxBytes }: CacheSettings,
  log: Context['log'],
): FeatureCache {
  if (maxBytes === 0 || (named === '' && passes === 1)) return noFeatures
  const folder = named || join(cacheFolder(), 'features')
  const openedMs = Date.now()
  let weights: Promise<string> | undefined
  let tower: string | undefined
  let isRefused = false
  /** A disk that refuses to keep features only makes the next run slower: it is said once, and nothing more is kept. */
  const unlessRefused = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (isRefused) return undefined
    try {
      return await work()
    } catch (error) {
      isRefused = true
      log(`${folder}: no more features are kept in this run: ${messageOf(error)}`, 'warn')
      return undefined
    }
  }
  const pathOf = (key: string) => join(folder, `${key}.f32`)
  return {
    async keyOf(clip, frames, { aspect, model: seenBy }) {
      const { precision, device, weights: onGpu } = seenBy
      weights ??= digestOfModel(resolvePath(model, 'model'))
      tower ??= towerDigest(seenBy)
      const parts = [
        await weights,
        tower,
        precision,
        device.family,
        device.info,
        frames,
        aspect,
        await digestAt(clip),
        ...integersOfTower(onGpu),
      ]
      return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
    },
    async get(key) {
      try {
        const path = pathOf(key)
        const { buffer, byteOffset, byteLength } = await readFile(path)
        await utimes(path, new Date(), new Date())
        return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer) // never shared
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      }
    },
    async put(key, bytes, read) {
      const hasRoom = await unlessRefused(() => madeRoom(folder, maxBytes - bytes, openedMs))
      if (!hasRoom) return
      const { buffer, byteOffset, byteLength } = await read()
      const content = new Uint8Array(buffer, byteOffset, byteLength)
      await unlessRefused(() => replaceFileBy(pathOf(key), partial => writeFile(partial, content)))
    },
  }
}

/**
 * Removes the files not used for longest until the rest takes at most `mostBytes`, and what a killed process left unfinished an
 * hour ago. False when files used since `openedMs` take more: those stay, and so do then all others.
 */
async function madeRoom(folder: string, mostBytes: number, openedMs: number): Promise<boolean> {
  makeFolder(folder)
  const files: { path: string; size: number; usedMs: number }[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined) // another process may have removed it
    if (!found) continue
    const isLeftOver = isPartial(name) && Date.now() - found.mtimeMs > 3_600_000
    if (isLeftOver) await rm(path, { force: true })
    else if (name.endsWith('.f32')) files.push({ path, size: found.size, usedMs: found.mtimeMs })
  }
  const bytesOf = (some: typeof files) => some.reduce((sum, { size }) => sum + size, 0)
  if (bytesOf(files.filter(({ usedMs }) => usedMs >= openedMs)) > mostBytes) return false
  let total = bytesOf(files)
  for (const { path, size } of files.sort((a, b) => a.usedMs - b.usedMs)) {
    if (total <= mostBytes) break
    await rm(path, { force: true })
    total -= size
  }
  return true
}

/** How the tower's matrices are rounded; nothing where they are floats. */
function integersOfTower({ byName }: ParameterSet): string[] {
  const formats = [...byName.values()].flatMap(({ name, integers }) =>
    integers && name.startsWith('vision_tower.')
      ? [`${integers.bits} bits in groups of ${integers.groupSize}`]
      : [],
  )
  return [...new Set(formats)]
}

/** Of the content of the weights and of what goes with them, so that a copy of the model has the same features. */
async function digestOfModel(folder: string): Promise<string> {
  const names = await readdir(folder)
  return contentDigest(
    folder,
    names.filter(name => /^[^.].*\.(safetensors|json)$/.test(name)),
  )
}
