import t from 'tap'
import { accuraciesOf } from '../../../operators/reward/accuracy.ts'
import { formulas } from '../../../operators/reward/formulas.ts'
import { groupOf } from '../group.ts'

const judge = formulas()
t.teardown(() => judge.close())

/** Takes the library longer than anybody waits. */
const endless = '\\frac{'.repeat(60)

for (const [left, right, equal] of [
  ['\\frac{1}{2}', '0.5', true],
  ['\\sqrt{8}', '2\\sqrt{2}', true],
  ['x^2-1', '(x-1)(x+1)', true],
  ['50\\%', '0.5', true],
  ['12', '12.01', false],
  ['x', 'y', false],
  ['\\unknown{1}', '1', false],
  ['', '', false],
] as const)
  t.test(`${left} and ${right}`, async t => {
    t.equal(await judge.equal(left, right, 20), equal)
  })

t.test('a comparison without end is cut and is undecided; the next one is answered', async t => {
  const [late, next] = [judge.equal(endless, '1', 0.2), judge.equal('1', '1.0', 20)]
  t.equal(await late, undefined)
  t.equal(await next, true)
})

t.test('an answer that equals the solution as a formula is right, as text too', async t => {
  const said: string[] = []
  const rewards = (texts: string[], solution: string, seconds = 20) => {
    const group = groupOf(texts.map(text => ({ text })))
    const prompt = { ...group.prompt, sample: { ...group.prompt.sample, solution } }
    return accuraciesOf({ ...group, prompt }, 'row 3', seconds, {
      shared: async () => judge as never, // nothing else is shared here
      log: message => said.push(message),
    })
  }
  const texts = ['<answer> 0.5 </answer>', '<answer>it is $\\frac12$</answer>', '<answer>1/2</answer>', 'two']
  t.same(await rewards(texts, '$\\frac{1}{2}$'), [1, 1, 1, 0])
  t.same(await rewards(texts, '$\\frac{1}{2}$', 0), [0, 0, 0, 0], 'unless only text is compared')
  t.same(await rewards(['<answer>3</answer>', '<answer>C</answer>'], 'C. 3 cats'), [0, 0], 'options are text')
  t.same(said, [])
  t.same(await rewards([`<answer>$${endless}$</answer>`], '1', 0.2), [0])
  t.match(said, [
    /^sample row 3: comparing .* with 1 took longer than 0\.2 s \(formulaSeconds\); it counts as wrong$/,
  ])
})
