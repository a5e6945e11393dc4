import { inside } from '../../engine/shared/inside.ts'
import { HubError } from './hub-error.ts'

/** What a field reads: a model's folder, or data. Datasets are named with `hf:` before them, models may be. */
export type HubKind = 'model' | 'data'

/** A repository on the Hugging Face hub, or a file or folder in it. */
export interface HubId {
  type: 'model' | 'dataset'
  /** `OWNER/NAME`. */
  name: string
  /** A branch, a tag or a commit. */
  revision: string
  /** Path in the repository; '' is all of it. */
  path: string
}

const prefix = 'hf:'
const part = '[A-Za-z0-9][A-Za-z0-9._-]*'
const bare = new RegExp(`^(${part}/${part})(?:@([A-Za-z0-9._/-]+))?$`)
const withPath = new RegExp(`^(${part}/${part})(?:@([A-Za-z0-9._-]+))?(?:/(.*))?$`)

/**
 * Reads `OWNER/NAME[@REVISION]` of a model, or `hf:OWNER/NAME[@REVISION][/PATH]`; undefined for any other text. Throws
 * `bad-hub-id` for a text with the prefix that is no id.
 */
export function readHubId(text: string, kind: HubKind): HubId | undefined {
  if (!text.startsWith(prefix)) {
    const [, name, revision = 'main'] = (kind === 'model' && bare.exec(text)) || []
    return name === undefined ? undefined : { type: 'model', name, revision, path: '' }
  }
  const [, name, revision = 'main', path = ''] = withPath.exec(text.slice(prefix.length)) ?? []
  if (name === undefined)
    throw new HubError(
      'bad-hub-id',
      `${text}: must be hf:OWNER/NAME, hf:OWNER/NAME/PATH or hf:OWNER/NAME@REVISION/PATH`,
    )
  if (path !== '') inside(`hf:${name}`, path, 'the path')
  return { type: kind === 'model' ? 'model' : 'dataset', name, revision, path: path.replace(/\/+$/, '') }
}

/** A repository and its revision, as the manifest of a run names it: `model OWNER/NAME@REVISION`. */
export const revisionName = ({ type, name, revision }: HubId): string => `${type} ${name}@${revision}`
