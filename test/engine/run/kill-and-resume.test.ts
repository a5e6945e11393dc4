import t from 'tap'
import { killAndResume } from './kill-and-resume.ts'

t.test('a training killed three times ends with the numbers and weights of one never killed', async t => {
  const [trial] = await killAndResume({ trials: 1, kills: 3, steps: 6, training: true })
  t.strictSame(trial?.differences, [], JSON.stringify(trial))
})
