import t from 'tap'
import { scorers } from '../../../operators/eval/scorers.ts'

const letters = ['A', 'B', 'C', 'D']
const options = ['A red car.', 'A blue boat.', 'A green bus.', 'Walking (slowly)']
const read = (output: string): string | null => {
  const parsed = scorers.tolerant(output, { letters, options })
  return 'letter' in parsed ? parsed.letter : null
}

const found: readonly [string, string][] = [
  ['Answer: C', 'C'],
  ['**C**', 'C'],
  ['My final answer: $\\boxed{\\textbf{D}}$', 'D'],
  ['A green bus', 'C'],
  ['The answer is a red car', 'A'],
  ['walking (slowly)', 'D'],
  ['**Answer:** B) A blue boat', 'B'],
  ['<think>hm, A or B</think><answer>C', 'C'],
  ['<think>hm</think>C</answer>', 'C'],
  ['<answer>B</answer><answer>B. A blue boat.</answer>', 'B'],
  ['< Answer >d</ Answer>', 'D'],
  ['The answer is not B but C.', 'C'],
  ['The answer is B, not C.', 'B'],
  ['(A) is wrong, so (B)', 'B'],
  ['A and C are wrong; the answer is D', 'D'],
  ['(C) because (A) and (B) are wrong', 'C'],
  ['It could be A, but I choose D.', 'D'],
  ['Option B is wrong. Option C is wrong. Option D is right.', 'D'],
  ['I would go with option B because the boat is blue.', 'B'],
  ['答案是 C。', 'C'],
  ['Die Antwort ist B.', 'B'],
]
for (const [output, letter] of found)
  t.test(`reads ${letter} from ${JSON.stringify(output)}`, async t => {
    t.equal(read(output), letter)
  })

const unread: readonly string[] = [
  '',
  'A. B. C. D.',
  '(A) and (B)',
  'Either A or B',
  'The answer is A or B.',
  'The answer is B. A green bus.',
  '(B) A green bus',
  '<answer>A</answer> no, <answer>B</answer>',
  '<think>The answer is A',
  '<answer></answer>',
  'A man is walking.',
  'Vitamin C is shown.',
  'As an AI model I cannot watch videos.',
  'N/A',
  'E',
  'none of the above',
]
for (const output of unread)
  t.test(`takes no letter from ${JSON.stringify(output)}`, async t => {
    t.equal(read(output), null)
  })
