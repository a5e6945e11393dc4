// How large the report of many questions is: node dist/test/bench/eval-page.js FOLDER [QUESTIONS]
// FOLDER is a finished evaluation; its results and contact sheets are repeated, with made-up reasoning and answers, up to that number.
import { copyFileSync, mkdirSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeReport } from '../../operators/eval/results/report.ts'
import type { Result } from '../../operators/eval/results/result.ts'
import {
  agreeOnRecipe,
  putResult,
  readBenchmark,
  readRecipe,
  readResults,
  writeBenchmark,
} from '../../operators/eval/results/store.ts'
import { isFailure } from '../../operators/question.ts'

const [from = '', count = '5000'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'flow-page-'))
const benchmark = readBenchmark(from)
const known = readResults(from, benchmark)
mkdirSync(join(folder, 'frames'))
let state = 1
const random = (limit: number): number => {
  state = (state * 48271) % 2147483647
  return state % limit
}
/** Half of the answers are right, some cannot be read, and some are cut within the thinking. */
function answerOf({ answer, letters, outcome }: Result): Partial<Result> {
  if (isFailure(outcome) || letters.length === 0) return {}
  const words = Array.from({ length: 20 + random(300) }, () => random(4096).toString(36)).join(' ')
  const luck = random(20)
  if (luck === 0)
    return { outcome: 'truncated', chosen: null, output: `<think> ${words}`, tokens: 1024, finished: false }
  const chosen = luck < 11 ? answer : (letters[random(letters.length)] ?? null)
  const isRight = chosen === answer && answer !== null
  const output = `<think> ${words} </think><answer> ${luck === 19 ? 'hm' : chosen} </answer>`
  if (luck === 19) return { outcome: 'unparsed', chosen: null, output, tokens: Math.ceil(words.length / 3) }
  return { outcome: isRight ? 'right' : 'wrong', chosen, output, tokens: Math.ceil(words.length / 3) }
}

const results = Array.from({ length: Number(count) }, (_, i) => {
  const one = known[i % known.length]
  if (!one) throw new Error(`${from}: must hold results`)
  const sheet = one.sheet === null ? null : `frames/${i}.jpg`
  if (one.sheet !== null && sheet !== null) copyFileSync(join(from, one.sheet), join(folder, sheet))
  return { ...one, id: `${one.id}/${i}`, clip: `${one.clip}/${i}`, sheet, ...answerOf(one) }
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
