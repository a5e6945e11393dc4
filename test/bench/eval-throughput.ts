// Questions a second of a model and where the time goes: node --import tsx test/bench/eval-throughput.ts [MODEL]
// The default is the embedded model; Video-MME's questions of the fixtures, 16 frames, 64 tokens at most.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadGraph } from '../../engine/graph/check.ts'
import { startRun } from '../../engine/run/run.ts'
import type { Summary } from '../../operators/eval/results/summary.ts'
import { operators, resources } from '../../operators/index.ts'
import { fixture, repository } from '../fixtures.ts'

const [model = 'builtin:shapes'] = process.argv.slice(2)
for (const batch of [1, 4, 12]) {
  const folder = mkdtempSync(join(tmpdir(), 'flow-throughput-'))
  const data = join(fixture('benchmarks'), 'Video-MME')
  const set = [
    `data=${data}`,
    `model=${model}`,
    `out=${join(folder, 'out')}`,
    'maxNewTokens=64',
    `batch=${batch}`,
  ]
  const plan = loadGraph(join(repository, 'graphs/eval/video-mme.json'), { operators, resources }, { set })
  const { seconds, error } = await startRun(plan, { seed: 0, directory: join(folder, 'run') }).done
  if (error) throw error
  // the evaluation wrote it
  const { done, speed } = JSON.parse(readFileSync(join(folder, 'out/report.json'), 'utf8')) as Summary
  const { decode, encode, generate } = speed.secondsPerClip
  const clip = [decode, encode, generate].map(value => value?.toFixed(2)).join(', ')
  console.log(
    `batch ${batch}: ${(done / seconds).toFixed(2)} questions/s in ${seconds.toFixed(1)} s with start-up; ` +
      `a clip of ${done / speed.clips} questions: decode, encode, generate ${clip} s; ${speed.tokensPerSecond?.toFixed(0)} tokens/s`,
  )
  rmSync(folder, { recursive: true, force: true })
}
process.exit()
