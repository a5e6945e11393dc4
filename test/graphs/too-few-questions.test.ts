// A run that must end before all its updates says which settings let its reader take more, and they do.
import { join } from 'node:path'
import t from 'tap'
import { runGraph } from './flow-words.ts'

t.setTimeout(300_000)

t.test('a run whose questions end names the params that its reader follows', async t => {
  const directory = join(t.testdir({}), 'run')
  const { code, text } = await runGraph('grpo.json', directory, {
    steps: 3,
    questions: 2,
    group: 2,
    maxNewTokens: 4,
  })
  t.equal(code, 1, text)
  t.match(
    text,
    /must do 3 updates, did 2: its data ended\n {4}fix: {2}let its reader take more \(--set questions=MORE/,
  )
  t.match(text, /flow:presets\/dapo\.json/)
})
