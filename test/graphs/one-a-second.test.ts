// Checkpoints of TinyLLaVA-Video that were trained with one frame a second see from one frame of a clip to 128.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { clipFolder, make, numbered } from '../operators/video/clips.ts'
import { runGraph } from './flow-words.ts'

t.setTimeout(300_000)

const folder = await clipFolder(t)
const data = join(folder, 'own.csv')
const lines = ['video,question,a,b,answer']
for (const [name, frames] of Object.entries({ short: 8, middle: 55, long: 2000 })) {
  await make(folder, `${numbered('32x32', 10, frames)} -c:v ffv1 @${name}.mkv`)
  lines.push(`${name}.mkv,What does the ${name} clip show?,grey,red,A`)
}
writeFileSync(data, lines.join('\n'))

const linesOf = (...path: string[]) =>
  readFileSync(join(...path), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

t.test(
  'an evaluation asks about one frame for each whole second of a clip, from 1 to `maxFrames` frames',
  async t => {
    const out = join(folder, 'results')
    const run = await runGraph('eval/own.json', join(folder, 'evaluated'), {
      model: 'builtin:cold-start',
      data,
      out,
      mode: 'one-a-second',
      maxFrames: 128,
      maxNewTokens: 4,
    })
    t.equal(run.code, 0, run.text)
    const [short, middle, long] = linesOf(out, 'results.jsonl')
    t.same(short.indices, [0], '0.8 seconds')
    t.same(middle.indices, [0, 13, 27, 40, 54], '5.5 seconds: five frames, first to last')
    t.same([long.indices.length, long.indices[0], long.indices[127]], [128, 0, 1999], '200 seconds')
    t.ok([short, middle, long].every(({ tokens }) => tokens > 0))
  },
)

t.test('a training takes the same frames, clips of few and of many among each other', async t => {
  const out = join(folder, 'trained')
  const run = await runGraph('grpo.json', out, {
    model: 'builtin:cold-start',
    data,
    steps: 3,
    group: 2,
    maxNewTokens: 4,
    'nodes.frames.config.mode': 'one-a-second',
    'nodes.frames.config.maxFrames': 128,
  })
  t.equal(run.code, 0, run.text)
  t.equal(linesOf(out, 'metrics.jsonl').length, 3)
  t.same(new Set(linesOf(out, 'samples.jsonl').map(({ video }) => video)).size, 3, 'each clip was seen')
})
