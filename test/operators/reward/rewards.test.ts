import t from 'tap'
import { accuracyReward } from '../../../operators/reward/accuracy.ts'
import { combineRewards } from '../../../operators/reward/combine.ts'
import { formatReward } from '../../../operators/reward/format.ts'

const options = { baseline: 0.5, lengthBonus: 0.5, lengthCap: 1200 }
const code = { rule: 'code', zeroReplacement: -2 } as const
const think = (length: number) => `<think>${'x'.repeat(length)}</think>`

// completion, accuracy, format, combined; the solution is C
const vectors: [string, number, number, number][] = [
  ['<think> abc </think> <answer> C </answer>', 1, 0.50125, 1.50125],
  [`${think(600)}\n<answer>C. pick up</answer>`, 1, 0.75, 1.75],
  [`${think(1200)} <answer>C</answer>`, 1, 1, 2],
  [`${think(1300)} <answer>C</answer>`, 1, 1, 2],
  [`${think(1200)} <answer>B</answer>`, 0, 1, -1],
  ['<think></think> <answer>C</answer>', 1, 0.5, 1.5],
  ['<think> </think> <answer> option C </answer>', 0, 0.5, -0.5],
  ['C. pick up', 1, 0, 1],
  ['The answer is C', 0, 0, -2],
  ['<answer>C</answer>', 1, 0, 1],
  ['<think>a</think> <answer>\nC\n</answer>', 0, 0.5 + 0.5 / 1200, -0.5 - 0.5 / 1200],
  ['<think>a<think>b</think> <answer>C</answer>', 1, 0, 1],
  ['so <think>a</think> <answer>C</answer>', 1, 0, 1],
  ['<think>a</think> <answer>C</answer>.', 1, 0, 1],
  ['<think>a</think> then <answer>C</answer>', 1, 0, 1],
  ['<think>a</think> <answer>c</answer>', 0, 0.5 + 0.5 / 1200, -0.5 - 0.5 / 1200],
  ['<think>a</think> <answer></answer>', 0, 0.5 + 0.5 / 1200, -0.5 - 0.5 / 1200],
  ['', 0, 0, -2],
]

for (const [completion, accuracy, format, reward] of vectors) {
  t.test(`${JSON.stringify(completion.slice(0, 50))} scores as published`, async t => {
    t.equal(accuracyReward(completion, 'C'), accuracy)
    t.equal(formatReward(completion, options), format)
    t.equal(combineRewards(accuracy, format, code), reward)
  })
}

t.test('the solution may stand in tags, and a longer one must be matched whole', async t => {
  t.equal(accuracyReward('<answer>C</answer>', '<answer> C </answer>'), 1)
  t.equal(accuracyReward('C. x', '<answer> C. x </answer>'), 1)
  t.equal(accuracyReward('C', '<answer> C. x </answer>'), 0)
})

t.test('only a newline ends a line: other line ends inside the tags do not', async t => {
  t.equal(accuracyReward('<answer>\rC\u2028</answer>', 'C'), 1)
  t.equal(accuracyReward('<answer>C\n</answer>', 'C'), 0)
})

t.test('whitespace between the tags is what Python calls whitespace', async t => {
  t.equal(formatReward('<think></think>\x1c\x85<answer></answer>', options), 0.5)
  t.equal(formatReward('<think></think>\ufeff<answer></answer>', options), 0)
})

t.test('thinking is measured in code points after stripping', async t => {
  t.equal(formatReward(`<think> ${'😀'.repeat(600)}\n</think><answer></answer>`, options), 0.75)
})

t.test('every constant of the form counts', async t => {
  const text = `${think(50)}<answer>A</answer>`
  t.equal(formatReward(text, { baseline: 0.2, lengthBonus: 0.6, lengthCap: 100 }), 0.5)
})

t.test("the paper's rule gives a right answer without the form the replacement too", async t => {
  const paper = { rule: 'paper', zeroReplacement: -2 } as const
  t.equal(combineRewards(1, 0, paper), -2)
  t.equal(combineRewards(0, 0, paper), -2)
  t.equal(combineRewards(1, 0.75, paper), 1.75)
  t.equal(combineRewards(0, 0.75, paper), -0.75)
})

t.test('the replacement is what the config says', async t => {
  t.equal(combineRewards(0, 0, { rule: 'code', zeroReplacement: -3 }), -3)
})
