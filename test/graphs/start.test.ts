// What `npm start` trains, with fewer updates: its report shows completions beside the frames that the model saw.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runGraph } from './flow-words.ts'

t.setTimeout(800_000)

t.test('each completion names a picture of the frames of its clip, in every pass', async t => {
  const directory = join(t.testdir({}), 'run')
  const { code, text } = await runGraph('demo/start.json', directory, { steps: 2, clips: 4, group: 2 })
  t.equal(code, 0, text)
  const samples = readFileSync(join(directory, 'samples.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { frames: string; question: string })
  t.equal(samples.length, 2 * 4 * 2)
  for (const { frames } of samples) t.ok(existsSync(join(directory, frames)), frames)
  t.equal(new Set(samples.map(({ frames }) => frames)).size, 4, 'one picture for each clip')
  t.ok(existsSync(join(directory, 'checkpoints/last/policy')), 'the model that is asked afterwards')
})
