// How large the report of a thousand questions is: node --import tsx test/bench/eval-page.ts FOLDER
// FOLDER is a finished evaluation; its results and contact sheets are repeated, with made-up reasoning, up to a thousand.
import { copyFileSync, mkdirSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeReport } from '../../operators/eval/results/report.ts'
import {
  agreeOnRecipe,
  putResult,
  readBenchmark,
  readRecipe,
  readResults,
  writeBenchmark,
} from '../../operators/eval/results/store.ts'

const [from = ''] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'flow-page-'))
const benchmark = readBenchmark(from)
const known = readResults(from, benchmark)
mkdirSync(join(folder, 'frames'))
let state = 1
const random = (limit: number): number => {
  state = (state * 48271) % 2147483647
  return state % limit
}
const results = Array.from({ length: 1000 }, (_, i) => {
  const one = known[i % known.length]
  if (!one) throw new Error(`${from}: must hold results`)
  const sheet = one.sheet === null ? null : `frames/${i}.jpg`
  if (one.sheet !== null && sheet !== null) copyFileSync(join(from, one.sheet), join(folder, sheet))
  const words = Array.from({ length: 150 }, () => random(4096).toString(36)).join(' ')
  return {
    ...one,
    id: `${one.id}/${i}`,
    clip: `${one.clip}/${i}`,
    sheet,
    output: `<think> ${words} </think>${one.output}`,
  }
})
const whole = { ...benchmark, questions: results.map(({ id, clip }) => ({ id, clip })), shard: 1, shards: 1 }
agreeOnRecipe(folder, readRecipe(from))
writeBenchmark(folder, whole)
for (const one of results) putResult(folder, one)
const started = performance.now()
await writeReport(folder, whole)
const { size } = statSync(join(folder, 'report.html'))
console.log(
  `${join(folder, 'report.html')}: ${size} bytes, ${((performance.now() - started) / 1000).toFixed(1)} s`,
)
