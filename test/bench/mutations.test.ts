import t from 'tap'
import { mutatedBenchmarks, mutatedClips } from './mutations.ts'

t.setTimeout(800_000)

t.test('changed benchmark files and clips are read, or refused with file and reason', async t => {
  for (const { accepted, refused, faults } of [await mutatedBenchmarks(196, 7), await mutatedClips(7, 7)]) {
    t.strictSame(faults, [])
    t.ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`)
  }
})
