import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { compareResults, describeComparison } from '../../../../operators/eval/results/compare.ts'
import { mergeResults } from '../../../../operators/eval/results/merge.ts'
import { dataOf, evaluate, startEvaluation, stored } from '../evaluate.ts'

const data = `data=${dataOf('mvbench')}`
const plain = [data, 'answers=oracle', 'nodes.evaluation/watch.config.sheetWidth=0']
const text = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')

const whole = join(t.testdir(), 'whole')
await evaluate('mvbench', whole, plain)

t.test('shards make the same results as one run, and a merge proves that it is whole', async t => {
  const folder = t.testdir()
  const at = (name: string) => join(folder, name)
  for (const i of [1, 2, 3]) await evaluate('mvbench', at(`part-${i}`), [...plain, `shard=${i}/3`])
  await t.rejects(mergeResults(at('merged'), [at('part-1'), at('part-3')]), { code: 'incomplete' })
  const lines = await mergeResults(
    at('merged'),
    [1, 2, 3].map(i => at(`part-${i}`)),
  )
  t.ok(lines.includes('complete: 16 of 16 questions; unique: 0 held twice, alike'))
  t.equal(text(at('merged')), text(whole))

  await evaluate('mvbench', at('other'), [
    data,
    'answers=constant',
    'nodes.evaluation/watch.config.sheetWidth=0',
  ])
  await t.rejects(mergeResults(at('mixed'), [whole, at('other')]), { code: 'other-recipe' })

  const comparison = compareResults(at('other'), whole)
  t.equal(comparison.gained.length, 11)
  t.equal(comparison.lost.length, 0)
  t.ok(Math.abs(comparison.difference.mean - 11 / 16) < 1e-12)
  t.match(describeComparison(comparison).join('\n'), /25\.0 % → 93\.8 %, difference \+68\.8 \(95 % \+\d/)
})

t.test('a merge takes no file from outside the folders that it is given, and writes none there', async t => {
  const folder = t.testdir({ 'key.jpg': 'secret' })
  const foreign = join(folder, 'deep/foreign')
  await evaluate('mvbench', foreign, plain)
  const names = readdirSync(join(foreign, 'results')).sort()
  const path = join(foreign, 'results', names[0] ?? '')
  const result = JSON.parse(readFileSync(path, 'utf8'))
  const merged = join(folder, 'home/merged')
  for (const sheet of ['../../key.jpg', join(folder, 'key.jpg'), 'https://example.org/a.jpg', 'data:x', 7]) {
    writeFileSync(path, JSON.stringify({ ...result, sheet }))
    await t.rejects(mergeResults(merged, [foreign]), {
      code: 'path-outside',
      message: /the "sheet" of a result must name a file inside this folder/,
    })
    t.notOk(existsSync(join(folder, 'home')), 'nothing was written')
  }
  symlinkSync(join(folder, 'key.jpg'), join(foreign, 'link.jpg'))
  writeFileSync(path, JSON.stringify({ ...result, sheet: 'link.jpg' }))
  await mergeResults(merged, [foreign])
  t.notOk(existsSync(join(merged, 'link.jpg')))
  const secret = Buffer.from('secret').toString('base64')
  t.notOk(readFileSync(join(merged, 'report.html'), 'utf8').includes(secret))
})

t.test('while an evaluation works in a folder, another recipe and the same part are refused', async t => {
  const out = join(t.testdir(), 'out')
  const half = [...plain, 'shard=1/2']
  const run = startEvaluation('mvbench', out, half)
  while (!existsSync(join(out, 'begun.json'))) await delay(5)
  await t.rejects(evaluate('mvbench', out, half), {
    message: /must be worked on by one process, found process \d+/,
  })
  await t.rejects(evaluate('mvbench', out, [...plain, 'shard=2/2', 'frames=4']), {
    message: /another process works in it with another recipe: frames 16 and 4/,
  })
  run.abort()
  await run.done
  await evaluate('mvbench', out, half)
})

t.test('a run that was aborted goes on where it was, and ends with the same file', async t => {
  const folder = t.testdir()
  const out = join(folder, 'out')
  const claims = 'nodes.evaluation/pending.config.claimSeconds=0.01'
  const run = startEvaluation('mvbench', out, [...plain, claims])
  const results = join(out, 'results')
  while (!existsSync(results) || readdirSync(results).length < 3) await delay(5)
  run.abort()
  t.equal((await run.done).status, 'aborted')
  const before = readdirSync(results).length
  t.ok(before < 16)
  await evaluate('mvbench', out, [...plain, claims])
  t.equal(text(out), text(whole))
})

t.test('two runs on one folder share the work: nothing twice, nothing lost', async t => {
  const folder = t.testdir()
  const out = join(folder, 'out')
  const runs = [1, 2].map(() => startEvaluation('mvbench', out, plain))
  for (const run of runs) t.equal((await run.done).status, 'completed')
  t.equal(stored(out).results.length, 16)
  const timed = readFileSync(join(out, 'timings.jsonl'), 'utf8').trim().split('\n')
  t.equal(timed.length, 16, 'each question was committed once')
  t.equal(readdirSync(join(out, 'results')).length, 16)
})

t.test('a video is opened and decoded once, however many questions it has', async t => {
  const folder = t.testdir()
  const log = join(folder, 'calls')
  const real = process.env.FFMPEG_BIN ?? 'ffmpeg'
  const script = join(folder, 'counting-ffmpeg')
  writeFileSync(script, `#!/bin/sh\necho "$*" >> ${log}\nexec ${real} "$@"\n`, { mode: 0o755 })
  const before = process.env.FFMPEG_BIN
  process.env.FFMPEG_BIN = script
  t.teardown(() => {
    if (before === undefined) delete process.env.FFMPEG_BIN
    else process.env.FFMPEG_BIN = before
  })
  const set = [`data=${dataOf('video-mme')}`, 'answers=oracle', 'nodes.evaluation/watch.config.sheetWidth=0']
  await evaluate('video-mme', join(folder, 'out'), set)
  const calls = readFileSync(log, 'utf8').split('\n')
  const about = (name: string) => calls.filter(call => call.includes(name))
  for (const name of ['fK2_synth-1', '-Zb8synth02', '_Lm5synth03', 'Tt0synth_04']) {
    // the first counts the frames without making pictures of them, the second makes those that are wanted
    t.equal(about(`${name}.mp4`).length, 2, name)
    t.equal(about(`${name}.mp4`).filter(call => call.includes('rawvideo')).length, 1, name)
  }
  rmSync(log)
  await evaluate('video-mme', join(folder, 'out'), set)
  t.notOk(
    existsSync(log) && readFileSync(log, 'utf8').includes('.mp4'),
    'what has results is not opened again',
  )
})
