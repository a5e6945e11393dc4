import t from 'tap'
import { stopOf, textUntil } from '../../../operators/model/stop.ts'

const words = ['<', '/ans', 'wer>', ' b', 'c</a', 'nswer> d', 'x']
const tokenizer = { decode: (ids: readonly number[]) => ids.map(id => words[id]).join('') }

t.test('keeps the ids up to the token that completes a stop', async t => {
  const stop = stopOf(tokenizer, ['</answer>', 'xx'])
  t.equal(stop([]), undefined)
  t.equal(stop([0, 1, 3, 6]), undefined)
  t.equal(stop([0, 1, 2]), 3)
  t.equal(stop([3, 0, 1, 2, 3, 3, 0, 1, 2, 6, 6]), 4, 'the first of two')
  t.equal(stop([6, 6, 0, 1, 2]), 2, 'whichever stop comes first')
  t.equal(stop([4, 5, 6]), 2, 'one that begins and ends within tokens')
})

t.test('the text ends with the stop or before it', async t => {
  t.equal(textUntil('c</answer> d</answer>', ['</answer>'], true), 'c</answer>')
  t.equal(textUntil('c</answer> d</answer>', ['</answer>'], false), 'c')
  t.equal(textUntil('c d', ['</answer>'], false), 'c d')
  t.equal(textUntil('ab cd', ['d', 'cd'], false), 'ab ', 'of two that end together the longer')
  t.equal(textUntil('ab cd', ['cd', 'b'], true), 'ab')
})

t.test('an empty stop is an error', async t => {
  t.throws(() => stopOf(tokenizer, ['']), /must not be empty/)
})
