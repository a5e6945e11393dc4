import t from 'tap'
import { sftLoss } from '../../../operators/sft/loss.ts'

t.test('the mean over all supervised tokens, whatever sequence they are in', async t => {
  const { loss, dLogProbs } = sftLoss([[-1, -2, -3], [-6]])
  t.equal(loss, 3)
  t.strictSame(dLogProbs, [Float64Array.of(-0.25, -0.25, -0.25), Float64Array.of(-0.25)])
})

t.test('parts of a step add up to the whole', async t => {
  const parts = [sftLoss([[-1, -2, -3]], 4), sftLoss([[-6]], 4)]
  t.equal(
    parts.reduce((sum, { loss }) => sum + loss, 0),
    3,
  )
  t.strictSame(parts[1]?.dLogProbs, [Float64Array.of(-0.25)])
})

t.test('no token, no loss', async t => {
  t.strictSame(sftLoss([[]]), { loss: 0, dLogProbs: [new Float64Array(0)] })
})
