// Copies of what nodes of the home part change in place, e.g. weights: other parts work with the copy that an item is
// pinned to, and the next change waits until the copy is made.
import { createHash, webcrypto } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Copier } from '../graph/plan.ts'
import type { Durable } from '../operator.ts'
import { makeFolder } from '../shared/files.ts'
import { inside } from '../shared/inside.ts'
import { readInto } from '../shared/read-into.ts'
import type { Version } from './names.ts'
import type { Pieces } from './pieces.ts'

/** Makes and keeps the versions of the home part's resources. */
export class Copies implements Copier {
  readonly onIdle: (() => void)[] = []
  readonly #pieces: Pieces
  readonly #log: (line: string) => void
  readonly #folder: string
  readonly #durables: ReadonlyMap<string, Durable>
  readonly #made = new Map<string, Promise<Version>>()
  readonly #held = new Map<string, string>()
  #last = ''
  #working = 0
  #count = 0

  /** `durables` are the states of resources that change, by the resource's name. */
  constructor(
    folder: string,
    durables: ReadonlyMap<string, Durable>,
    pieces: Pieces,
    log: (line: string) => void,
  ) {
    this.#log = log
    this.#pieces = pieces
    this.#folder = folder
    this.#durables = durables
  }

  get busy(): boolean {
    return this.#working > 0
  }

  /** Begins a copy of the resources as they are now. `value` announces this version and is the key to its copy. */
  take(value: unknown): void {
    const key = JSON.stringify(value)
    if (this.#made.has(key)) return
    const folder = join(this.#folder, String(++this.#count).padStart(6, '0'))
    this.#working++
    const made = this.#make(folder).finally(() => {
      this.#working--
      for (const idle of this.onIdle) idle()
    })
    made.catch(() => {}) // those who wait for the version hear of it
    this.#made.set(key, made)
  }

  /** The files of a version that was taken. */
  async version(value: unknown): Promise<Version> {
    const made = this.#made.get(JSON.stringify(value))
    if (!made) throw new Error(`no copy was taken of version ${JSON.stringify(value)}`)
    return made
  }

  /** There is something that changes. */
  get any(): boolean {
    return this.#durables.size > 0
  }

  /** An item is worked on with this version: it stays, and so do later ones. */
  hold(value: unknown, item: string): void {
    this.#last = JSON.stringify(value)
    this.#held.set(item, this.#last)
  }

  /** An item is done: versions before those that others are worked on with are removed. */
  release(item: string): void {
    this.#held.delete(item)
    const needed = new Set([...this.#held.values(), this.#last])
    for (const [key, made] of this.#made) {
      if (needed.has(key)) return
      this.#made.delete(key)
      void made.then(version => this.#forget(version)).catch(() => {})
    }
  }

  async #make(folder: string): Promise<Version> {
    const begun = performance.now()
    rmSync(folder, { recursive: true, force: true })
    for (const [name, durable] of this.#durables) {
      const place = inside(folder, name.replaceAll('/', '.'))
      makeFolder(place)
      await (durable.copy ?? durable).save(place)
    }
    makeFolder(folder)
    const names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
    const files = await Promise.all(
      names.map(async path => {
        const place = inside(folder, path)
        return { path, bytes: statSync(place).size, sha256: await digestOfFile(place) }
      }),
    )
    for (const { path, sha256 } of files) this.#pieces.keep(sha256, inside(folder, path))
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    this.#log(`a copy of ${bytes} bytes took ${seconds(begun)} s`)
    return { folder, files }
  }

  async #forget({ folder, files }: Version): Promise<void> {
    for (const { sha256 } of files) this.#pieces.drop(sha256)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Seconds since a moment, for a log. */
export const seconds = (begun: number): string => ((performance.now() - begun) / 1000).toFixed(3)

const pieceBytes = 8 * 2 ** 20
const piecesAtOnce = 4

/** The SHA-256 of the SHA-256s of a file's pieces of 8 MiB: those are computed beside the main thread, several at once. */
export async function digestOfFile(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const digests: Uint8Array[] = Array.from({ length: Math.ceil(size / pieceBytes) })
    const rest = digests.keys()
    const work = async () => {
      for (const i of rest) {
        const bytes = new Uint8Array(Math.min(pieceBytes, size - i * pieceBytes))
        if ((await readInto(file, bytes, i * pieceBytes)) < bytes.length)
          throw new Error(`${path}: became shorter while it was read`)
        digests[i] = new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes))
      }
    }
    await Promise.all(Array.from({ length: piecesAtOnce }, work))
    return createHash('sha256').update(Buffer.concat(digests)).digest('hex')
  } finally {
    await file.close()
  }
}
