import t from 'tap'
import { type ParsedAnswer, parseAnswer } from '../../../operators/eval/parse-answer.ts'

const random = { random: true } as const
const none = { none: true } as const

const vectors: [string, ParsedAnswer][] = [
  ['<answer> C </answer>', { letter: 'C' }],
  ['<answer>c. pick</answer>', { letter: 'C' }],
  ['<answer>The answer is (B)</answer>', { letter: 'B' }],
  ['<answer>both (D) and (b)</answer>', { letter: 'B' }],
  ['<answer>because B</answer>', { letter: 'B' }],
  ['<answer>\nA\n</answer>', { letter: 'A' }],
  ['<answer>\x1fA\x85</answer>', { letter: 'A' }],
  ['<answer>x\r(A)</answer>', { letter: 'A' }],
  ['<answer>A\nB</answer>', random],
  ['<answer>option A</answer>', random],
  ['<answer>F</answer>', random],
  ['<answer>\ufeffA</answer>', random],
  ['C', random],
  ['', random],
  ['<answer></answer>', none],
  ['<answer> \n </answer>', none],
  ['<answer>B</answer><answer>A</answer>', { letter: 'B' }],
  ['<answer></answer><answer>A</answer>', none],
]

for (const [response, expected] of vectors) {
  t.test(`${JSON.stringify(response)} is ${JSON.stringify(expected)}`, async t => {
    t.strictSame(parseAnswer(response, ['A', 'B', 'C', 'D']), expected)
  })
}

t.test('only letters of the options count', async t => {
  t.strictSame(parseAnswer('<answer>E</answer>', ['A', 'B', 'C', 'D', 'E']), { letter: 'E' })
  t.strictSame(parseAnswer('<answer>(C) or (B)</answer>', ['A', 'B']), { letter: 'B' })
})
