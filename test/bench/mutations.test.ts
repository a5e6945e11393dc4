import t from 'tap'
import { mutatedWeights } from './mutated-weights.ts'
import { mutatedBenchmarks, mutatedClips } from './mutations.ts'

t.setTimeout(800_000)

t.test(
  'changed benchmark files, clips and folders of weights are read, or refused with file and reason',
  async t => {
    const counts = [await mutatedBenchmarks(196, 7), await mutatedClips(7, 7), await mutatedWeights(60, 7)]
    for (const { accepted, refused, faults } of counts) {
      t.strictSame(faults, [])
      t.ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`)
    }
  },
)
