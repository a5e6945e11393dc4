import t from 'tap'
import { tokenRecords } from '../../../operators/grpo/token-records.ts'

t.test('each token is written with its log-probability and its share of the KL divergence', async t => {
  const tokenizer = { decode: (ids: readonly number[]) => ids.map(id => `<${id}>`).join('') }
  const [policy, reference] = [Float32Array.of(-1, -2), Float32Array.of(-1, -1)]
  const rows = { old: [policy], reference: [reference], advantages: [0], mask: [[1, 1]] }
  const share = { sequence: { ids: [], completions: [[7, 8]] }, rows }
  // only `decode` is used
  const records = await tokenRecords(share as never, tokenizer as never)
  t.same(records, [{ index: 0, pieces: ['<7>', '<8>'], logProbabilities: [-1, -2], kl: [0, 0.7183] }])
  const [without] = await tokenRecords(
    { ...share, rows: { ...rows, reference: null } } as never,
    tokenizer as never,
  )
  t.notOk(without && 'kl' in without, 'without a reference there is no KL')
})
