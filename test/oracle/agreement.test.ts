import t from 'tap'
import { fixture } from '../fixtures.ts'
import { agreement } from './agreement.ts'

t.test("the oracle computes PyTorch's numbers for a checkpoint", async t => {
  for (const { ok, name, error, bound } of await agreement(fixture('tiny-bf16')))
    t.ok(ok, `${name}: ${error.toExponential(1)} <= ${bound}`)
})
