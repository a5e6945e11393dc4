import { operator } from '../../engine/operator.ts'
import { readdir } from '../../engine/platform/files.ts'
import { extname, join, relative } from '../../engine/platform/paths.ts'
import { resolvePath } from '../builtin.ts'
import { isMacCopy, isNumberedPicture, videoExtensions } from '../files/video-extensions.ts'
import type { Sample } from '../kinds.ts'
import { ReadError } from './read-error.ts'

export default operator({
  summary: 'Finds the clips in a folder and below it: video files, and folders of numbered pictures.',
  config: {
    folder: { type: 'string', reads: 'data', description: 'Folder to search.' },
    extensions: {
      type: 'array',
      items: { type: 'string' },
      default: videoExtensions,
      description: 'Names of video files end in one of these, in upper or lower case.',
    },
  },
  inputs: {},
  outputs: { samples: 'sample' },
  async inspect({ folder, extensions }) {
    return [`${(await clipsIn(resolvePath(folder), extensions)).length} clips; none was opened`]
  },
  run: (_inputs, { folder: stated, extensions }, context) => ({
    samples: context.source<Sample>(async function* () {
      const folder = resolvePath(stated)
      const paths = await clipsIn(folder, extensions)
      context.expect(paths.length, 'clips')
      for (const video of paths)
        yield { key: relative(folder, video), value: { video, question: '', fields: {} } }
    }),
  }),
})

/** The clips of a folder; throws when there is none. */
async function clipsIn(folder: string, extensions: readonly string[]): Promise<string[]> {
  const paths = await findClips(folder, extensions)
  if (paths.length > 0) return paths
  throw new ReadError('no-clips', `${folder}: no clip in it; looked for ${extensions.join(' ')} and pictures`)
}

/** Paths in a fixed order, whatever the file system's. */
async function findClips(folder: string, extensions: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ReadError('no-file', `${folder}: must be a folder that can be read (${String(cause)})`)
  })
  const kept = entries.filter(({ name }) => !isMacCopy(name))
  kept.sort((a, b) => (a.name < b.name ? -1 : 1))
  if (kept.some(({ name }) => isNumberedPicture(name))) return [folder]
  const found = kept.map(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return findClips(path, extensions)
    return extensions.includes(extname(entry.name).toLowerCase()) ? [path] : []
  })
  return (await Promise.all(found)).flat()
}
