import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { copy } from '../../../kernels/elementwise/copy.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { openFeatureFiles } from '../../../operators/model/feature-files.ts'
import { findFfmpeg } from '../../../operators/video/find-ffmpeg.ts'
import { fixture } from '../../fixtures.ts'
import { runGraph } from '../../graphs/flow-words.ts'
import { clipFolder, make, numbered } from '../video/clips.ts'

const folder = await clipFolder(t)
const clips = ['a.mp4', 'b.mp4']
for (const [i, name] of clips.entries())
  await make(folder, `${numbered('40x24', 10, 20 + i)} -c:v libx264 -pix_fmt yuv420p @${name}`)
writeFileSync(
  join(folder, 'captions.jsonl'),
  clips
    .map(video => {
      const said = [
        { from: 'human', value: '<image>' },
        { from: 'gpt', value: `what ${video} shows` },
      ]
      return `${JSON.stringify({ video, conversations: said })}\n`
    })
    .join(''),
)

/** An ffmpeg that counts how often it is started; the first words of a file's opening and of its frames differ. */
const counted = join(folder, 'ffmpeg')
const starts = join(folder, 'starts')
const { path } = await findFfmpeg()
writeFileSync(counted, `#!/bin/sh\n[ "$1" = -version ] || echo "$@" >> ${starts}\nexec ${path} "$@"\n`)
chmodSync(counted, 0o755)
process.env.FFMPEG_BIN = counted
process.env.FLOW_CACHE = join(folder, 'cache')
t.teardown(() => {
  delete process.env.FFMPEG_BIN
  delete process.env.FLOW_CACHE
})

/** Trains on both clips in three passes; the losses, and how often ffmpeg was started. */
async function trained(name: string, params: Readonly<Record<string, string | number>>) {
  writeFileSync(starts, '')
  const directory = join(folder, name)
  const data = join(folder, 'captions.jsonl')
  const small = { data, model: fixture('tiny-bf16'), frames: 4, batchSize: 2, steps: 3, epochs: 3 }
  // one after another, so that the second pass opens no clip that the first one has not opened yet
  const inTurn = { 'nodes.clips.config.concurrency': 1 }
  const { code, text } = await runGraph('pretrain.json', directory, { ...small, ...inTurn, ...params })
  t.equal(code, 0, text)
  const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trim().split('\n')
  const losses = lines.map(line => JSON.parse(line)).map(({ loss, grad_norm }) => [loss, grad_norm])
  return { losses, starts: readFileSync(starts, 'utf8').split('\n').length - 1 }
}

// what is known of a clip is kept only when its file has not just changed
await delay(2100)

t.test('a clip that is seen again is neither decoded nor encoded, and the numbers are the same', async t => {
  const plain = await trained('plain', { featureBytes: 0 })
  t.equal(plain.losses.length, 3)
  t.equal(plain.starts, 8, 'each clip is opened once, and its frames are decoded in each pass')
  // one pass: in a second one a clip may come before its features are kept, and is then decoded again
  const onePass = { epochs: 1, steps: 1, 'resources.features.config.passes': 3 }
  const first = await trained('first', onePass)
  t.strictSame(first.losses, plain.losses.slice(0, 1))
  t.equal(first.starts, 2, 'frames are decoded in the first pass; this process has opened the clips before')
  t.equal(readdirSync(join(folder, 'cache/features')).length, 2, 'one file a clip')
  const second = await trained('second', {})
  t.strictSame(second.losses, plain.losses)
  t.equal(second.starts, 0, 'another run decodes nothing')
  t.strictSame((await trained('once', { epochs: 1, steps: 1 })).losses, plain.losses.slice(0, 1))
  await trained('fewer', { frames: 2, epochs: 2, steps: 2 })
  t.equal(readdirSync(join(folder, 'cache/features')).length, 4, 'other frames have other features')
})

const settings = { folder: '', passes: 1, model: fixture('tiny-bf16'), maxBytes: 1000 }
const clip = join(folder, 'a.mp4')
const device = {
  family: 'cpu',
  units: 'none',
  subgroupSize: 8,
  info: { vendor: '', architecture: '', device: 'a', description: '' },
}
/** A tower that gives a number, copied so many times. */
const towerOf = (value: number, copies = 1) => ({
  imageSize: 2,
  channels: 3,
  tokens: 1,
  frameTokens: 1,
  hidden: 4,
  record({ recording }: Pass) {
    let y = recording.constant('y', [1, 4], Float32Array.of(value, 0, 0, 0))
    for (let i = 0; i < copies; i++) {
      const into = recording.tensor('copy', [1, 4])
      copy(recording, { from: y, into })
      y = into
    }
    return y
  },
})
const seen = (
  precision: 'float32' | 'float16',
  integers?: { bits: number; groupSize: number },
  vision = towerOf(1),
) => {
  const name = 'vision_tower.blocks.0.weight'
  const weights = { byName: new Map([[name, { name, integers }]]) }
  return { aspect: 'square', model: { precision, device, weights, shape: { vision } } } as never
}

t.test('the cache stays inside its bounds and drops what was not used for longest', async t => {
  const place = join(folder, 'bounded')
  const said: string[] = []
  const open = () => openFeatureFiles({ ...settings, folder: place }, what => said.push(what))
  const earlier = open()
  const keys: string[] = []
  for (const frame of [1, 2, 3]) keys.push((await earlier.keyOf(clip, [frame], seen('float32'))) ?? '')
  t.equal(new Set(keys).size, 3, 'other frames have another name')
  t.not(await earlier.keyOf(clip, [1], seen('float16')), keys[0], 'so have features in another precision')
  const rounded = await earlier.keyOf(clip, [1], seen('float32', { bits: 4, groupSize: 64 }))
  t.not(rounded, keys[0], 'and those of a tower of integers')
  t.not(await earlier.keyOf(clip, [1], seen('float32', { bits: 4, groupSize: 32 })), rounded)
  for (const tower of [towerOf(2), towerOf(1, 2)])
    t.not(
      await open().keyOf(clip, [1], seen('float32', undefined, tower)),
      keys[0],
      'and those of other code',
    )
  t.equal(await open().keyOf(clip, [1], seen('float32')), keys[0])
  const [a = '', b = '', c = ''] = keys
  const put = (cache: typeof earlier, key: string, value: number) =>
    cache.put(key, 400, async () => new Float32Array(100).fill(value))
  const pause = () => new Promise(resolve => setTimeout(resolve, 20))
  await put(earlier, a, 0)
  await pause()
  await put(earlier, b, 1)
  await earlier.put(c, 400, () => Promise.reject(new Error('features without room are read')))
  await pause()
  const later = open()
  t.strictSame(await later.get(a), new Float32Array(100), 'a use makes the first one newer than the second')
  await put(later, c, 2)
  t.equal(await later.get(b), undefined)
  t.strictSame(await later.get(c), new Float32Array(100).fill(2))
  t.strictSame(
    readdirSync(place).map(name => statSync(join(place, name)).size),
    [400, 400],
  )
  t.strictSame(said, [])
})

t.test('without a folder the cache is on only for data that is read more than once', async t => {
  const keyOf = (given: Partial<typeof settings>) =>
    openFeatureFiles({ ...settings, ...given }, () => {}).keyOf(clip, [1], seen('float32'))
  t.equal(await keyOf({}), undefined)
  t.equal(await keyOf({ passes: 0, maxBytes: 0 }), undefined, 'never without bytes')
  t.type(await keyOf({ passes: 0 }), 'string')
  t.type(await keyOf({ folder: join(folder, 'named') }), 'string')
})

t.test('a folder that cannot be written is said once, and the run goes on', async t => {
  const said: string[] = []
  const cache = openFeatureFiles({ ...settings, folder: join(clip, 'features') }, what => said.push(what))
  for (const frame of [1, 2]) {
    const key = await cache.keyOf(clip, [frame], seen('float32'))
    await cache.put(key ?? '', 4, async () => new Float32Array(1))
  }
  t.equal(said.length, 1)
  t.match(said[0], /a\.mp4\/features: no more features are kept in this run: .*must be a folder/)
})
