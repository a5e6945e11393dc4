import t from 'tap'
import { formulaOf } from '../../../operators/reward/formula.ts'

const cases: readonly [string, string, string | undefined][] = [
  ['a number', '12', '12'],
  ['the last number of a sentence', 'I count 3 cats and 12 dogs.', '12'],
  ["thousands' commas", '1,234,567', '1234567'],
  ['a list keeps its commas', '$(1,23)$', '(1,23)'],
  ['a share', 'about 50%', '50\\%'],
  ['a negative fraction', '-1/3', '-1/3'],
  ['the last environment', 'from $x$ follows \\(x+1\\)', 'x+1'],
  ['display mathematics over lines', '\\[\n\\frac12\n\\]', '\\frac12'],
  ['a box with braces in it, before what follows', 'so \\boxed{\\frac{1}{2}} or $3$', '\\frac{1}{2}'],
  ['a box without end', 'so \\boxed{\\frac{1}{2', '2'],
  ['LaTeX without environment', '\\frac{1}{2}', '\\frac{1}{2}'],
  ['units in upright letters', '$3\\,\\text{cm}$', '3\\,'],
  ['a lettered option', 'C', undefined],
  ['a lettered option with a number in it', 'C. 3 cats', undefined],
  ['a lettered option in brackets', '(B) 4', undefined],
  ['words', 'the cat', undefined],
  ['nothing', '', undefined],
  ['more than 400 characters', `$${'1+'.repeat(250)}1$`, undefined],
]
for (const [name, text, formula] of cases)
  t.test(name, async t => {
    t.equal(formulaOf(text), formula)
  })
