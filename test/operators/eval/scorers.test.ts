import t from 'tap'
import { type ScorerName, scorers } from '../../../operators/eval/scorers.ts'

const letters = ['A', 'B', 'C', 'D']
const options = ['Blue', 'Green', 'Red', 'White']
const read = (scorer: ScorerName, output: string): string => {
  const parsed = scorers[scorer](output, { letters, options })
  return 'letter' in parsed ? parsed.letter : 'random' in parsed ? '?' : '–'
}

/** Outputs, and what is read by: published, strict, option, video-mme, mvbench, mlvu, lvbench. */
const cases: readonly [string, string][] = [
  ['C', '? C C C C C C'],
  ['C. Red', '? C C C C – C'],
  ['c', '? C ? – C – –'],
  ['The answer is C.', '? – C C – – –'],
  ['Answer: C', '? – A A – – A'],
  ['<answer> C </answer>', 'C C C C – – –'],
  ['<answer>C. Red</answer>', 'C C ? C – – –'],
  ['<answer>C. Blue</answer>', 'C – ? C – – –'],
  ['<think>A man in B</think><answer>C</answer>', 'C C ? A – – –'],
  ['<answer>Answer: C</answer>', 'A – ? A – – –'],
  ['<answer>\nOption\nC\n</answer>', '? – ? C – – –'],
  ['<answer></answer>', '– – ? – – – –'],
  ['', '? – ? – – – –'],
  ['<think> cut off A', '? – A A – – –'],
  ['<answer>because B</answer>', 'B – ? B – – –'],
  ['(C) Red', '? C C C C C C'],
  ['Based on the video, the person is red', '? – B B – – B'],
  ['<answer>A</answer><answer>B</answer>', 'A – ? A – – –'],
]

const names: readonly ScorerName[] = [
  'published',
  'strict',
  'option',
  'video-mme',
  'mvbench',
  'mlvu',
  'lvbench',
]

for (const [output, expected] of cases) {
  t.test(`reads ${JSON.stringify(output)}`, async t => {
    const wanted = expected.split(' ')
    for (const [i, name] of names.entries()) t.equal(read(name, output), wanted[i], name)
  })
}

t.test('the option parser takes the last of several', async t => {
  t.equal(read('option', 'it may be (A) or (B)'), 'B')
  t.equal(read('option', "I think it is 'B' or D."), 'D')
  t.equal(read('option', 'not A but D it is'), 'D')
})
