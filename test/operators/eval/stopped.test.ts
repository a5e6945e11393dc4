// A stop in an evaluation whose clips have many questions each: the questions are what is left, not the clips.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Run, RunEvent } from '../../../engine/run/summary.ts'
import { fixture } from '../../fixtures.ts'
import { evaluate, startEvaluation, stored, writeQuestions } from './evaluate.ts'

t.setTimeout(800_000)

const clips = ['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']
const each = 10
const count = clips.length * each
const folder = t.testdir()
const data = writeQuestions(folder, clips, each)
const asked = [
  `data=${data}`,
  `model=${fixture('tiny-bf16')}`,
  'frames=2',
  'maxNewTokens=3',
  'batch=2',
  'nodes.evaluation/watch.config.sheetWidth=0',
  // the claims of a run before are of this process, which lives
  'nodes.evaluation/pending.config.claimSeconds=0.01',
]
const text = (out: string) => readFileSync(join(out, 'results.jsonl'), 'utf8')

/** Starts an evaluation and stops it when it has its first result. */
async function stopAtFirst(out: string, set: readonly string[]) {
  let run: Run | undefined
  const onEvent = ({ type }: { type: string }) => {
    if (type === 'record') run?.stop()
  }
  run = startEvaluation('own', out, set, { onEvent })
  return run.done
}

t.test('a stop asks no question that has not begun, and the next run asks the rest', async t => {
  const [whole, cut] = [join(folder, 'whole'), join(folder, 'cut')]
  const shown: object[] = []
  const onEvent = (event: RunEvent) => {
    if (event.type === 'record' && event.stream === 'results') shown.push(event.entry)
  }
  await startEvaluation('own', whole, asked, { onEvent }).done
  t.equal(shown.length, count)
  for (const { question, answer, output } of stored(whole).results.slice(0, 1))
    t.match(shown[0], { question, answer, output }, 'the page of the run shows what was asked and said')
  const stopped = await stopAtFirst(cut, asked)
  t.equal(stopped.error, undefined, 'questions that were not asked are no failures')
  t.equal(stopped.status, 'stopped')
  t.equal(stopped.leaked, 0)
  t.ok(stopped.acknowledged < count, `${stopped.acknowledged} acknowledged`)
  const { results, summary } = stored(cut)
  t.ok(results.length >= 1 && results.length <= 6, `${results.length} answers are those that were in work`)
  t.equal(summary.done, results.length)
  t.equal(summary.expected, count)
  const lines = text(whole).split('\n')
  for (const line of text(cut).trim().split('\n')) t.ok(lines.includes(line), 'as in an unbroken run')

  const rest = await evaluate('own', cut, asked)
  t.equal(rest.run.status, 'completed')
  t.equal(text(cut), text(whole))
  const timings = readFileSync(join(cut, 'timings.jsonl'), 'utf8').trim().split('\n')
  t.equal(timings.length, count, 'no question is asked twice')
})

t.test('of repeats and several numbers of frames, rounds that have not begun are left', async t => {
  const [whole, cut] = [join(folder, 'whole-repeats'), join(folder, 'cut-repeats')]
  const set = [...asked, 'limit=8', 'repeats=3', 'profile=published', 'frameCounts=[1,2]']
  const answers = (out: string) =>
    [1, 2].flatMap(frames => {
      const results = join(out, `frames-${frames}`, 'results')
      return existsSync(results) ? readdirSync(results) : []
    }).length
  t.equal((await startEvaluation('own', whole, set).done).error, undefined)
  const stopped = await stopAtFirst(cut, set)
  t.equal(stopped.error, undefined)
  t.equal(stopped.status, 'stopped')
  t.ok(answers(cut) < answers(whole) / 2, `${answers(cut)} of ${answers(whole)} answers`)
  t.equal((await startEvaluation('own', cut, set).done).status, 'completed')
  for (const frames of ['frames-1', 'frames-2'])
    t.equal(text(join(cut, frames)), text(join(whole, frames)), frames)
})

t.test('a stop while the clips of another process are waited for ends the wait', async t => {
  const out = join(folder, 'claimed')
  await stopAtFirst(out, asked)
  const others = [...asked.slice(0, -1), 'nodes.evaluation/pending.config.claimSeconds=600']
  const run = startEvaluation('own', out, others, {
    onEvent: event => {
      if (event.type !== 'status') return
      const pending = event.status.nodes.find(({ name }) => name === 'evaluation/pending')
      if (pending?.items === clips.length) run.stop()
    },
  })
  t.equal((await run.done).status, 'stopped')
})
