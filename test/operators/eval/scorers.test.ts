import t from 'tap'
import { type ScorerName, scorers } from '../../../operators/eval/scorers.ts'

const letters = ['A', 'B', 'C', 'D']
const options = ['Blue', 'Green', 'Red', 'White']
const read = (scorer: ScorerName, output: string): string => {
  const parsed = scorers[scorer](output, { letters, options })
  return 'letter' in parsed ? parsed.letter : 'random' in parsed ? '?' : '–'
}

/** Outputs, and the letter read by: published, strict, option, video-mme, mvbench, mlvu, mlvu-test, lvbench. */
const cases: readonly [string, string][] = [
  ['C', '? C C C C C C C'],
  ['C. Red', '? C C C C – – C'],
  ['c', '? C ? – C – – –'],
  ['The answer is C.', '? – C C – – – –'],
  ['Answer: C', '? – A A – – – A'],
  ['<answer> C </answer>', 'C C C C – – – –'],
  ['<answer>C. Red</answer>', 'C C ? C – – – –'],
  ['<answer>C. Blue</answer>', 'C – ? C – – – –'],
  ['<think>A man in B</think><answer>C</answer>', 'C C ? A – – – –'],
  ['<answer>Answer: C</answer>', 'A – ? A – – – –'],
  ['<answer>\nOption\nC\n</answer>', '? – ? C – – – –'],
  ['<answer></answer>', '– – ? – – – – –'],
  ['', '? – ? – – – – –'],
  ['<think> cut off A', '? – A A – – – –'],
  ['<answer>because B</answer>', 'B – ? B – – – –'],
  ['(C) Red', '? C C C C C – C'],
  ['Based on the video, the person is red', '? – B B – – – B'],
  ['<answer>A</answer><answer>B</answer>', 'A – ? A – – – –'],
]

const names: readonly ScorerName[] = [
  'published',
  'strict',
  'option',
  'video-mme',
  'mvbench',
  'mlvu',
  'mlvu-test',
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

t.test('the option parser knows the options by the words that the base system cuts out of them', async t => {
  const choices = { letters, options: ['A. A dog.', 'B. Mr. Fox.', 'C. Two cats.', 'D. No animal.'] }
  const named = (output: string) => scorers.option(output, choices)
  t.same(named('there are clearly two cats on the sofa'), { letter: 'C' })
  t.same(named('I can see one fox and five hens'), { random: true }, 'only "M" is left of Mr. Fox')
  t.same(named('perhaps a dog, but two cats is better'), { letter: 'C' }, 'the one named last')
  t.same(named('two cats'), { random: true }, 'in five words or fewer letters alone count')
})

t.test('an answer may be right for several letters on MVBench, and for none without a letter', async t => {
  const mvbench = (output: string) => scorers.mvbench(output, { letters, options })
  t.same(mvbench('(B)(D) both'), { letter: 'B', rightFor: ['B', 'D'] })
  t.same(mvbench('.. it is B'), { letter: 'A', rightFor: letters })
  t.same(mvbench('d.'), { letter: 'D' })
  for (const output of ['.', '(', ')', '( B )', '()', '']) t.same(mvbench(output), { none: true }, output)
})

t.test('the two sets of MLVU read brackets in their own way', async t => {
  for (const [output, dev, testSet] of [
    ['(B) Green', 'B', '–'],
    ['B) Green', 'B', 'B'],
    [' B', '–', 'B'],
    ['It is B)', 'B', '–'],
    [')', '–', '–'],
  ] as const) {
    t.equal(read('mlvu', output), dev, `${output}: development`)
    t.equal(read('mlvu-test', output), testSet, `${output}: test`)
  }
})

t.test('strict takes no letter where more than one option is named', async t => {
  const several = [
    '(A) and (B)',
    'A. B. C. D.',
    '(A) is wrong, so (B)',
    'C. Blue',
    'B: A or C',
    'a) or b)',
    'A. no, D',
  ]
  for (const output of several) {
    t.equal(read('strict', output), '–', output)
    t.equal(read('strict', `<think>x</think><answer>${output}</answer>`), '–', `${output} in tags`)
  }
  t.equal(read('strict', 'B. because the grass fills the picture'), 'B')
  t.equal(read('strict', '(A) is wrong'), '–')
})
