import t from 'tap'
import { shower } from '../../../operators/model/answer.ts'

t.test('shows what is new, and no half of a character', async t => {
  const pieces: string[] = []
  const show = shower(text => pieces.push(text))
  for (const text of ['', 'a', 'a\uFFFD', 'aé', 'aé']) show(text)
  show('aé b', true)
  t.strictSame(pieces, ['a', 'é', ' b', '\n'])
})
