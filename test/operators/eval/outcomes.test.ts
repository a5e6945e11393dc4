import { chmodSync, cpSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { failureOf } from '../../../operators/eval/outcome.ts'
import { VideoError } from '../../../operators/video/video-error.ts'
import { dataOf, evaluate, startEvaluation } from './evaluate.ts'

const settings = (data: string) => [
  `data=${data}`,
  'answers=oracle',
  'limit=6',
  'nodes.evaluation/watch.config.sheetWidth=0',
  // the claims of a run before are of this process, which lives
  'nodes.evaluation/pending.config.claimSeconds=0.01',
]
const outcomesIn = (out: string) =>
  readdirSync(join(out, 'results')).map(
    name => /"outcome":"([^"]*)"/.exec(readFileSync(join(out, 'results', name), 'utf8'))?.[1],
  )
const rights = ['right', 'right', 'right', 'right', 'right', 'right']

t.test('only what is about the clip or the row is an outcome; every other error is thrown on', async t => {
  const outcomes = {
    'no-file': 'clip-missing',
    damaged: 'clip-damaged',
    'not-a-video': 'clip-damaged',
    'decode-failed': 'clip-damaged',
    'bad-bounds': 'error',
  }
  for (const [code, outcome] of Object.entries(outcomes))
    t.same(failureOf(new VideoError(code, 'why')), { outcome, message: 'why' })
  const others =
    'deadline aborted no-ffmpeg ffmpeg-killed ffmpeg-failed encode-failed device-lost EMFILE ENOSPC constructor'
  for (const code of others.split(' ')) {
    const error = new VideoError(code, 'why')
    t.throws(() => failureOf(error), error, code)
  }
  for (const error of [new Error('unknown'), 'text', undefined]) t.throws(() => failureOf(error))
})

t.test('clips that are not there fail the run, and are asked again when they are', async t => {
  const folder = t.testdir()
  const [data, out] = [join(folder, 'data'), join(folder, 'out')]
  cpSync(dataOf('mvbench'), data, { recursive: true })
  chmodSync(data, 0o755)
  renameSync(join(data, 'video'), join(data, 'away'))
  const { status, error } = await startEvaluation('mvbench', out, settings(data)).done
  t.equal(status, 'failed')
  t.match(error?.message, /no clip could be seen \(6 clip-missing\); .* accuracy 0\.0 %/)
  await t.rejects(evaluate('mvbench', out, [...settings(data), 'retry=none']), { message: /6 clip-missing/ })
  renameSync(join(data, 'away'), join(data, 'video'))
  await evaluate('mvbench', out, settings(data))
  t.same(outcomesIn(out), rights)
})

t.test('an ffmpeg that is killed ends the run, and its question stays open', async t => {
  const folder = t.testdir()
  const out = join(folder, 'out')
  const real = process.env.FFMPEG_BIN ?? 'ffmpeg'
  const script = join(folder, 'killed-ffmpeg')
  // the run that reads the pixels of the third clip
  const body = `case "$*" in *-version*) ;; *rawvideo*) echo . >> '${folder}/runs'; [ $(wc -l < '${folder}/runs') = 3 ] && kill -9 $$;; esac`
  writeFileSync(script, `#!/bin/sh\n${body}\nexec ${real} "$@"\n`, { mode: 0o755 })
  const before = process.env.FFMPEG_BIN
  process.env.FFMPEG_BIN = script
  t.teardown(() => {
    if (before === undefined) delete process.env.FFMPEG_BIN
    else process.env.FFMPEG_BIN = before
  })
  const set = [...settings(dataOf('mvbench')), 'decodeConcurrency=1']
  const { status, error } = await startEvaluation('mvbench', out, set).done
  t.equal(status, 'failed')
  t.match(
    error?.message,
    /node "evaluation\/watch" \(eval.watch\), item ".*".*ffmpeg was ended from outside by SIGKILL/,
  )
  t.ok(outcomesIn(out).every(outcome => outcome === 'right'))
  t.ok(outcomesIn(out).length < 6)
  await evaluate('mvbench', out, set)
  t.same(outcomesIn(out), rights)
})

t.test('a result that is not whole is asked again', async t => {
  const out = join(t.testdir(), 'out')
  await evaluate('mvbench', out, settings(dataOf('mvbench')))
  for (const [i, name] of readdirSync(join(out, 'results')).entries())
    if (i < 2) writeFileSync(join(out, 'results', name), ['', '{"id":'][i] ?? '')
  const { results } = await evaluate('mvbench', out, settings(dataOf('mvbench')))
  t.same(
    results.map(({ outcome }) => outcome),
    rights,
  )
})
