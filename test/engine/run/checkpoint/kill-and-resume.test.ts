import t from 'tap'
import { killAndResume } from './kill-and-resume.ts'

t.test('a training killed three times ends as one never killed', { timeout: 800_000 }, async t => {
  const [trial] = await killAndResume({ trials: 1, kills: 3, steps: 4, training: true })
  t.strictSame(trial?.differences, [], JSON.stringify(trial))
})
