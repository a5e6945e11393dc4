import { existsSync, statSync } from 'node:fs'
import { copyFile, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { ListFileEntry } from '@huggingface/hub'
import { codeOf, messageOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { inside } from '../../engine/shared/inside.ts'
import { replaceFile } from '../../engine/shared/replace-file.ts'
import { type DownloadOptions, download } from './download.ts'
import { hubAddress } from './hub-address.ts'
import {
  cachedPath,
  commitOf,
  isCommit,
  pinnedCommit,
  pinRevision,
  repositoryFolder,
  snapshotFolder,
} from './hub-cache.ts'
import { HubError } from './hub-error.ts'
import type { HubId } from './hub-id.ts'
import { readToken } from './hub-token.ts'
import { patientFetch } from './patient-fetch.ts'

export interface FetchOptions extends Pick<DownloadOptions, 'tries' | 'waitSeconds' | 'idleSeconds'> {
  environment?: Readonly<Record<string, string | undefined>>
  /** Hears what is going on with a file. */
  onProgress?: (progress: FileProgress) => void
  /** Hears a remark for people. */
  say?: (line: string) => void
}

/** A file that is being downloaded, and its place among those of its repository that are missing. */
export interface FileProgress {
  name: string
  bytes: number
  size: number
  file: number
  files: number
}

/** Puts what an id names into the cache, pins the commit of its revision, and returns the path. */
export async function fetchRepository(id: HubId, options: FetchOptions = {}): Promise<string> {
  const { environment = process.env, say = () => {} } = options
  const title = `hf:${id.name}${id.path && `/${id.path}`}`
  if (isOffline(environment)) {
    const path = cachedPath(id)
    const commit = commitOf(id)
    if (path === undefined || commit === undefined)
      throw new HubError(
        'hub-offline',
        `${title}: must be in ${repositoryFolder(id)} when HF_HUB_OFFLINE is set, found no revision ${id.revision} of it there`,
      )
    pinRevision(id, commit)
    return path
  }
  try {
    return await fetchOnline(id, title, options)
  } catch (error) {
    const path = cachedPath(id)
    const commit = commitOf(id)
    if (codeOf(error) !== 'hub-unreachable' || path === undefined || commit === undefined) throw error
    say(`${messageOf(error)}; goes on with commit ${commit} of the cache`)
    pinRevision(id, commit)
    return path
  }
}

async function fetchOnline(id: HubId, title: string, options: FetchOptions): Promise<string> {
  const { environment = process.env, onProgress } = options
  const token = readToken(environment)
  const hubUrl = hubAddress(environment)
  const { datasetInfo, listFiles, modelInfo } = await import('@huggingface/hub')
  const about = { hubUrl, fetch: patientFetch(title, token, options) }
  const asked = { ...about, name: id.name, revision: id.revision, additionalFields: ['sha' as const] }
  const newest = async () => (await (id.type === 'model' ? modelInfo(asked) : datasetInfo(asked))).sha
  const commit = pinnedCommit(id) ?? (await newest())
  if (!isCommit(commit))
    throw new HubError('hub-damaged', `${title}: the hub must name a commit, found ${commit}`)
  const repo = { type: id.type, name: id.name }
  const entries: ListFileEntry[] = []
  for await (const entry of listFiles({ ...about, repo, recursive: true, revision: commit }))
    if (entry.type === 'file' && isWanted(entry.path, id)) entries.push(entry)
  if (entries.length === 0)
    throw new HubError(
      'hub-missing',
      `${title}: must name a file or folder of the repository, found none at ${id.revision}`,
    )
  const missing = entries.filter(({ path }) => !existsSync(inside(snapshotFolder(id, commit), path)))
  for (const [i, entry] of missing.entries()) {
    const { path, size } = entry
    const digest = digestOf(entry, title)
    const blob = join(repositoryFolder(id), 'blobs', digest.hex)
    const name = `${id.name}/${path}`
    const place = id.type === 'model' ? id.name : `datasets/${id.name}`
    const url = `${hubUrl}/${place}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
    const onBytes = (bytes: number) => onProgress?.({ name, bytes, size, file: i + 1, files: missing.length })
    if (!existsSync(blob) || statSync(blob).size !== size)
      await download({ url, name, size, digest }, blob, { ...options, token, onBytes })
    await link(blob, inside(snapshotFolder(id, commit), path))
  }
  if (!isCommit(id.revision)) {
    const ref = inside(join(repositoryFolder(id), 'refs'), id.revision, 'the revision')
    makeFolder(dirname(ref))
    replaceFile(ref, commit)
  }
  pinRevision(id, commit)
  const folder = snapshotFolder(id, commit)
  return id.path === '' ? folder : inside(folder, id.path, 'the path')
}

export const isOffline = ({ HF_HUB_OFFLINE = '' }: Readonly<Record<string, string | undefined>>): boolean =>
  ['1', 'on', 'yes', 'true'].includes(HF_HUB_OFFLINE.toLowerCase())

/** Of a model: its weights in safetensors, and the small files beside them. Of data: the file, or what is in the folder. */
function isWanted(path: string, id: HubId): boolean {
  if (id.path !== '') return path === id.path || path.startsWith(`${id.path}/`)
  return id.type === 'dataset' || (!path.includes('/') && /\.(safetensors|json|txt|jinja)$/.test(path))
}

function digestOf(
  { path, oid = '', lfs }: ListFileEntry,
  title: string,
): { kind: 'sha256' | 'git'; hex: string } {
  const digest = lfs ? { kind: 'sha256' as const, hex: lfs.oid } : { kind: 'git' as const, hex: oid }
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest.hex)) return digest
  throw new HubError(
    'hub-damaged',
    `${title}: the hub must list a digest of ${path}, found ${JSON.stringify(digest.hex)}`,
  )
}

/** A link to the blob as Hugging Face's libraries make it, or a copy where the system has no links. */
async function link(blob: string, path: string): Promise<void> {
  makeFolder(dirname(path))
  await rm(path, { force: true })
  try {
    await symlink(relative(dirname(path), blob), path)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error
    await copyFile(blob, path)
  }
}
