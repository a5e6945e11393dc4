import { readdir } from 'node:fs/promises'
import { resolvePath } from '../builtin.ts'
import { contentDigest } from '../file-digests.ts'
import { digestOf } from '../question-digests.ts'

/** Digests of everything in the files of a model resource that decides what it writes, by what they are of. */
export async function modelDigests(
  config: Readonly<Record<string, unknown>>,
  precision: string,
): Promise<[string, string][]> {
  const { path, adapter = '', recompute: _, precision: __, weights, groupSize, ...rest } = config
  const folder = resolvePath(String(path), 'model')
  const names = await readdir(folder)
  const digest = (pattern: RegExp) =>
    contentDigest(
      folder,
      names.filter(name => pattern.test(name)),
    )
  return [
    ['weights', await digest(/^[^.].*\.safetensors(\.index\.json)?$/)],
    ['configuration', await digest(/^(config|generation_config|((video_)?pre)?processor_config)\.json$/)],
    [
      'tokenizer',
      await digest(/^(tokenizer(_config)?|vocab|added_tokens|special_tokens_map)\.json$|^merges\.txt$/),
    ],
    ['precision', precision],
    ...(isRounded(weights) ? [['integers', `${weights} in groups of ${groupSize}`] as [string, string]] : []),
    ...(adapter === ''
      ? []
      : [['adapter', await digestOfFolder(resolvePath(String(adapter), 'model'))] as [string, string]]),
    ...(isTrained(rest) ? [['training', digestOf(rest)] as [string, string]] : []),
  ]
}

/** Whether frozen weights are rounded when they are loaded. */
const isRounded = (weights: unknown): boolean => weights !== undefined && weights !== 'stored'

const isTrained = ({ train }: Readonly<Record<string, unknown>>): boolean =>
  Array.isArray(train) && train.length > 0

const digestOfFolder = async (folder: string): Promise<string> =>
  contentDigest(
    folder,
    (await readdir(folder)).filter(name => /\.(safetensors|json)$/.test(name)),
  )
