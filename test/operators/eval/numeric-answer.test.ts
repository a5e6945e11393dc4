import t from 'tap'
import { meanRelativeAccuracy, numberIn } from '../../../operators/eval/numeric-answer.ts'
import { judge } from '../../../operators/eval/score.ts'
import type { Question } from '../../../operators/question.ts'

t.test(
  'a number is read from the start of an answer, and from anywhere in it with anywhere: true',
  async t => {
    const strict = (output: string) => numberIn(output, { anywhere: false })
    t.equal(strict('<think>9 chairs</think><answer> 4.5 metres </answer>'), 4.5)
    t.equal(strict('1,200.'), 1200)
    t.equal(strict('-2'), -2)
    t.equal(strict('about 3'), undefined)
    t.equal(strict(''), undefined)
    t.equal(numberIn('about 3.25 m or 4', { anywhere: true }), 3.25)
    t.equal(numberIn('none', { anywhere: true }), undefined)
  },
)

t.test('mean relative accuracy is the share of thresholds that the error keeps to', async t => {
  t.equal(meanRelativeAccuracy(10, 10), 1)
  t.equal(meanRelativeAccuracy(11, 10), 0.9)
  t.equal(meanRelativeAccuracy(13, 10), 0.5)
  t.equal(meanRelativeAccuracy(20, 10), 0)
  t.equal(meanRelativeAccuracy(0, 0), 0)
})

t.test('a question without options earns the mean relative accuracy of its number', async t => {
  const fields = { id: 'x', letters: [], options: [], answer: '8' }
  const verdict = (text: string, scorer: 'strict' | 'tolerant' = 'strict') => {
    // only these fields are looked at
    const question = { fields, reply: { text, tokens: 1, finished: true } } as unknown as Question
    return judge(question, { scorer, seed: 0 })
  }
  t.strictSame(verdict('8'), { outcome: 'right', chosen: '8', drawn: false, credit: 1 })
  t.strictSame(verdict('10'), { outcome: 'wrong', chosen: '10', drawn: false, credit: 0.6 })
  t.strictSame(verdict('It is 8'), { outcome: 'unparsed', chosen: null, drawn: false, credit: 0 })
  t.match(verdict('It is 8', 'tolerant'), { outcome: 'right' })
})
