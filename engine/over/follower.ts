// The other end of `copies.ts`: brings the resources of a worker to a version of the home part's.
import { createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { link, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Durable } from '../operator.ts'
import { CodedError } from '../shared/errors.ts'
import { inside } from '../shared/inside.ts'
import { digestOfFile } from './copies.ts'
import { type Announcement, hostText, type Version, type VersionFile } from './names.ts'
import type { Server } from './nats.ts'
import { pull } from './pieces.ts'

export class Follower {
  readonly #server: Server
  readonly #announcement: Announcement
  readonly #folder: string
  readonly #durables: ReadonlyMap<string, Durable>
  /** Where the files of the version before are, by their digest: those that did not change are not pulled again. */
  #had = new Map<string, string>()
  #count = 0

  constructor(
    server: Server,
    announcement: Announcement,
    folder: string,
    durables: ReadonlyMap<string, Durable>,
  ) {
    this.#server = server
    this.#announcement = announcement
    this.#folder = folder
    this.#durables = durables
  }

  /** Sets the resources to a version: from the files of the home part where they are in sight, else from pulled ones. */
  async apply(version: Version, signal: AbortSignal): Promise<void> {
    const seen =
      this.#announcement.host === hostText() && version.files.every(file => isThere(version.folder, file))
    const folder = seen ? version.folder : await this.#pulled(version, signal)
    for (const [name, durable] of this.#durables) {
      const place = inside(folder, name.replaceAll('/', '.'))
      if (existsSync(place)) await (durable.copy ?? durable).restore(place)
    }
  }

  async #pulled({ files }: Version, signal: AbortSignal): Promise<string> {
    const folder = join(this.#folder, String(++this.#count))
    rmSync(folder, { recursive: true, force: true })
    const have = new Map<string, string>()
    for (const file of files) {
      const place = inside(folder, file.path)
      await mkdir(dirname(place), { recursive: true })
      const before = this.#had.get(file.sha256)
      if (before) await link(before, place)
      else await this.#pullFile(file, place, signal)
      have.set(file.sha256, place)
    }
    this.#had = have
    rmSync(join(this.#folder, String(this.#count - 1)), { recursive: true, force: true })
    return folder
  }

  async #pullFile(file: VersionFile, place: string, signal: AbortSignal): Promise<void> {
    const partial = `${place}.part`
    const parts = pull(this.#server, this.#announcement, file, signal)
    await pipeline(Readable.from(parts), createWriteStream(partial))
    const found = await digestOfFile(partial)
    if (found !== file.sha256)
      throw new CodedError(
        'bad-version',
        `${file.path}: must have the digest ${file.sha256}, arrived with ${found}`,
      )
    renameSync(partial, place)
  }
}

const isThere = (folder: string, { path, bytes }: VersionFile): boolean => {
  const place = inside(folder, path)
  return existsSync(place) && statSync(place).size === bytes
}
