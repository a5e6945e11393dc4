import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../../fixtures.ts'
import { dataOf, evaluate } from './evaluate.ts'

const model = [
  `data=${dataOf('video-mme')}`,
  `model=${fixture('tiny-bf16')}`,
  'maxNewTokens=6',
  'frames=4',
  'limit=6',
]
const text = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')
const cacheSettings = (folder: string) => [
  `resources.evaluation/cache.config.folder=${folder}`,
  'nodes.evaluation/watch.config.sheetWidth=0',
]

t.test('greedy answers do not depend on the batch, the shards or the cache', async t => {
  const folder = t.testdir()
  const at = (name: string) => join(folder, name)
  const one = await evaluate('video-mme', at('one'), [...model, 'batch=1'])
  await evaluate('video-mme', at('five'), [...model, 'batch=5'])
  t.equal(text(at('five')), text(at('one')))
  const slots = 'nodes.evaluation/answers.config.slots=2'
  const refilled = await evaluate('video-mme', at('refilled'), [...model, 'batch=2', slots])
  t.equal(text(at('refilled')), text(at('one')), 'nor on whose place they take')
  t.equal(refilled.run.leaked, 0)
  t.ok(one.results.every(({ output, tokens }) => output !== null && tokens > 0))
  t.equal(one.run.leaked, 0)

  const plain = one.results.map(result => ({ ...result, sheet: null }))
  const first = await evaluate('video-mme', at('first'), [...model, ...cacheSettings(at('cache'))])
  t.strictSame(first.results, plain)
  t.equal(readdirSync(at('cache')).length, 2, 'one file a clip')
  const second = await evaluate('video-mme', at('second'), [
    ...model,
    'batch=3',
    ...cacheSettings(at('cache')),
  ])
  t.strictSame(second.results, plain)
  const part = await evaluate('video-mme', at('part'), [...model, 'shard=2/2', ...cacheSettings(at('cache'))])
  t.strictSame(
    part.results,
    plain.filter(({ id }) => part.results.some(result => result.id === id)),
  )
  t.equal(part.results.length, 3)
})

t.test('drawn answers depend on the seed and the question alone', async t => {
  const folder = t.testdir()
  const drawn = [...model, 'profile=published', 'nodes.evaluation/watch.config.sheetWidth=0']
  await evaluate('video-mme', join(folder, 'a'), [...drawn, 'batch=2'])
  await evaluate('video-mme', join(folder, 'b'), [...drawn, 'batch=7'])
  t.equal(text(join(folder, 'a')), text(join(folder, 'b')))
  const slots = 'nodes.evaluation/answers.config.slots=3'
  await evaluate('video-mme', join(folder, 'c'), [...drawn, 'batch=2', slots])
  t.equal(text(join(folder, 'a')), text(join(folder, 'c')))
})
