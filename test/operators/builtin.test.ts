import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BuiltinRecipe, ensureBuiltin, hasBuiltin, resolvePath } from '../../operators/builtin.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import modelRandom from '../../operators/model/random.ts'
import { parseQuestions } from '../../operators/read/questions.ts'
import shapesClips from '../../operators/shapes/clips.ts'
import videoEncode from '../../operators/video/encode.ts'
import writeJsonl from '../../operators/write/jsonl.ts'
import { runGraph } from './run-graph.ts'

/** A cache of the test's own. */
function freshCache(t: Test): string {
  const before = process.env.FLOW_CACHE
  const folder = join(t.testdir(), 'cache')
  process.env.FLOW_CACHE = folder
  t.teardown(() => {
    if (before === undefined) delete process.env.FLOW_CACHE
    else process.env.FLOW_CACHE = before
  })
  return folder
}

const fakeRun = async ({ params }: BuiltinRecipe) => {
  mkdirSync(params.out, { recursive: true })
  writeFileSync(join(params.out, 'train.jsonl'), 'made')
}

t.test('plain paths stay, unknown names are told', t => {
  t.equal(resolvePath('some/folder'), 'some/folder')
  t.throws(() => resolvePath('builtin:shape'), {
    code: 'unknown-builtin',
    message: /must begin with one of builtin:shapes/,
  })
  t.ok(existsSync(join(resolvePath('builtin:tokenizer'), 'tokenizer.json')))
  t.end()
})

t.test('a file that built-in data does not have is told with those that it has', async t => {
  t.throws(() => resolvePath('builtin:configurations/large.json'), {
    code: 'unknown-builtin',
    message:
      'builtin:configurations/large.json: must be in builtin:configurations, which holds released.json, small.json',
  })
})

t.test('data that is not made yet is an error with the command that makes it', t => {
  freshCache(t)
  t.notOk(hasBuiltin('shapes'))
  const message =
    /builtin:shapes: not made yet .* flow run makes it by itself .* flow run .*graphs\/demo\/shapes.json --set out=.*shapes-/
  t.throws(() => resolvePath('builtin:shapes'), { code: 'no-builtin', message })
  t.end()
})

t.test('it is made once', async t => {
  const cache = freshCache(t)
  await ensureBuiltin('shapes', fakeRun)
  await ensureBuiltin('shapes', () => Promise.reject(new Error('made again')))
  t.ok(hasBuiltin('shapes'))
  t.equal(readFileSync(resolvePath('builtin:shapes/train.jsonl'), 'utf8'), 'made')
  t.equal(readdirSync(cache).length, 1)
})

t.test('a run that fails half-way leaves no files', async t => {
  const cache = freshCache(t)
  const half = async (recipe: BuiltinRecipe) => {
    await fakeRun(recipe)
    throw new Error('half-way')
  }
  await t.rejects(ensureBuiltin('shapes', half), /half-way/)
  t.notOk(hasBuiltin('shapes'))
  t.same(readdirSync(cache), [])
})

t.test('two processes that make it at the same time both have it', async t => {
  const cache = freshCache(t)
  await Promise.all([ensureBuiltin('shapes', fakeRun), ensureBuiltin('shapes', fakeRun)])
  t.ok(hasBuiltin('shapes'))
  t.equal(readdirSync(cache).length, 1)
})

t.test('the graph makes clips that exist, questions about them and a model that opens', async t => {
  freshCache(t)
  const operators = {
    'shapes.clips': shapesClips,
    'video.encode': videoEncode,
    'write.jsonl': writeJsonl,
    'model.random': modelRandom,
  }
  await ensureBuiltin('shapes', async ({ graph, params, runDirectory }) => {
    const set = [`out=${params.out}`, 'clips=3']
    t.match(await runGraph(graph, operators, { directory: runDirectory, set }), {
      status: 'completed',
      leaked: 0,
    })
  })
  const file = resolvePath('builtin:shapes/train.jsonl')
  const samples = parseQuestions(file, readFileSync(file, 'utf8'), resolvePath('builtin:shapes'))
  t.equal(samples.length, 6)
  for (const { value } of samples) t.ok(existsSync(value.video), value.video)
  const { tensors } = await openCheckpoint(resolvePath('builtin:shapes'))
  t.ok(tensors.size > 0)
})
