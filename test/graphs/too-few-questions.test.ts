// A run that must end before all its updates says which settings let its reader take more, and they do.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../fixtures.ts'
import { runGraph } from './flow-words.ts'

t.setTimeout(300_000)

t.test('a run whose questions end names the params that its reader follows', async t => {
  const folder = t.testdir({})
  const data = join(folder, 'questions.jsonl')
  const question = { video: 'Mechanics/0.mp4', question: 'what?', options: ['this', 'that'], answer: 'A' }
  writeFileSync(data, `${JSON.stringify(question)}\n`.repeat(2))
  const { code, text } = await runGraph('grpo.json', join(folder, 'run'), {
    data,
    root: fixture('benchmarks/MMVU/videos'),
    epochs: 1,
    steps: 3,
    group: 2,
    maxNewTokens: 4,
  })
  t.equal(code, 1, text)
  t.match(
    text,
    /must do 3 updates, did 2: its data ended\n {4}fix: {2}let its reader take more \(--set questions=MORE --set epochs=0\), or ask for 2: --set steps=2;/,
  )
  t.match(text, /flow:presets\/dapo\.json/)
})
