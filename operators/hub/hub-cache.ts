// The shared cache of Hugging Face's libraries: models--OWNER--NAME/ with blobs/ETAG, snapshots/COMMIT/PATH that link to
// them, and refs/REVISION, which hold a commit.
import { existsSync, readFileSync } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import { processes } from '../../engine/platform/processes.ts'
import { inside } from '../../engine/shared/inside.ts'
import { type HubId, type HubKind, readHubId, revisionName } from './hub-id.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The folder of Hugging Face's libraries, which holds the cache and the token. */
export const hubHome = (environment: Environment = processes.environment): string =>
  environment.HF_HOME ??
  join(environment.XDG_CACHE_HOME ?? join(processes.homeFolder, '.cache'), 'huggingface')

export const hubCache = (environment: Environment = processes.environment): string =>
  environment.HF_HUB_CACHE ?? environment.HUGGINGFACE_HUB_CACHE ?? join(hubHome(environment), 'hub')

/** The variable of the environment that moves the cache. */
export const hubVariable = (environment: Environment = processes.environment): string =>
  ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'].find(name => environment[name] !== undefined) ?? 'HF_HOME'

/** The folder of a repository in the cache. */
export const repositoryFolder = ({ type, name }: HubId): string =>
  join(hubCache(), `${type}s--${name.replace('/', '--')}`)

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** Commits of this process's run, by `revisionName`: a run that is resumed reads what it read before. */
const pins = new Map<string, string>()

export const pinRevision = (id: HubId, commit: string): unknown => pins.set(revisionName(id), commit)

export const pinnedCommit = (id: HubId): string | undefined => pins.get(revisionName(id))

/** Every revision that was pinned, for the manifest of a run. */
export const pinnedRevisions = (): Record<string, string> => Object.fromEntries(pins)

/** Takes over the revisions of an earlier run. */
export function usePins(stated: unknown): void {
  for (const [name, commit] of Object.entries(stated ?? {}))
    if (typeof commit === 'string' && isCommit(commit)) pins.set(name, commit)
}

/** The commit that a revision stands for: the pinned one, itself, or what the cache says; undefined when that does not know it. */
export function commitOf(id: HubId): string | undefined {
  if (isCommit(id.revision)) return id.revision
  const pinned = pinnedCommit(id)
  if (pinned !== undefined) return pinned
  const ref = inside(join(repositoryFolder(id), 'refs'), id.revision, 'the revision')
  if (!existsSync(ref)) return undefined
  const commit = readFileSync(ref, 'utf8').trim()
  return isCommit(commit) ? commit : undefined
}

/** The folder of a commit's files. */
export const snapshotFolder = (id: HubId, commit: string): string =>
  join(repositoryFolder(id), 'snapshots', commit)

/** The path in the cache of what an id names; undefined when it is not there. */
export function cachedPath(id: HubId): string | undefined {
  const commit = commitOf(id)
  if (commit === undefined) return undefined
  const folder = snapshotFolder(id, commit)
  const path = id.path === '' ? folder : inside(folder, id.path, 'the path')
  return existsSync(path) ? path : undefined
}

/** The id that a text stands for, unless there is a file or folder of this name. */
export const hubIdOf = (text: string, kind: HubKind): HubId | undefined =>
  existsSync(text) ? undefined : readHubId(text, kind)
