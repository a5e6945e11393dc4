// Kills an evaluation with SIGKILL at random moments and lets it go on: node --import tsx test/bench/eval-kill.ts [KILLS]
// Prints for each kill how far it was, and in the end whether the results are those of an undisturbed run. Then two
// processes share one folder.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fixture, repository } from '../fixtures.ts'

const kills = Number(process.argv[2] ?? 20)
const folder = mkdtempSync(join(tmpdir(), 'flow-kill-'))
let runs = 0

const start = (out: string): ChildProcess => {
  const set = [`data=${join(fixture('benchmarks'), 'MVBench')}`, 'answers=oracle', `out=${out}`]
  const main = ['--import', 'tsx', 'engine/cli/main.ts', 'run', 'graphs/eval/mvbench.json']
  const directory = ['--out', join(folder, `run-${runs++}`)]
  const words = [...main, ...set.flatMap(one => ['--set', one]), ...directory]
  return spawn(process.execPath, words, { cwd: repository, stdio: 'ignore' })
}
const ended = (child: ChildProcess): Promise<number | null> => {
  return new Promise(resolve => child.once('exit', code => resolve(code)))
}
const count = (out: string): number => {
  const results = join(out, 'results')
  return existsSync(results) ? readdirSync(results).filter(name => name.endsWith('.json')).length : 0
}
const lines = (out: string): string => readFileSync(join(out, 'results.jsonl'), 'utf8')

const whole = join(folder, 'whole')
const started = performance.now()
await ended(start(whole))
const seconds = (performance.now() - started) / 1000
console.log(`undisturbed: ${count(whole)} results, ${seconds.toFixed(1)} s`)

let same = 0
let out = join(folder, 'killed-0')
for (let i = 0; i < kills; i++) {
  const child = start(out)
  const end = ended(child)
  // a random moment of the work: after a random number of results, because the pace of the machine changes
  const [before, target] = [count(out), Math.floor(Math.random() * count(whole))]
  while (child.exitCode === null && count(out) < Math.max(before, target)) await delay(5)
  await Promise.race([delay(Math.random() * 400), end])
  child.kill('SIGKILL')
  await end
  const atKill = count(out)
  // every second one is killed again before it may end
  if (i % 2 === 0 && i + 1 < kills && atKill < count(whole)) {
    console.log(`kill ${i + 1}: at ${atKill} results, to be killed again`)
    continue
  }
  const code = await ended(start(out))
  const equal = code === 0 && lines(out) === lines(whole)
  console.log(
    `kill ${i + 1}: at ${atKill} results; went on: exit ${code}, ${equal ? 'same results' : 'OTHER RESULTS'}`,
  )
  if (equal) same++
  else process.exitCode = 1
  out = join(folder, `killed-${i + 1}`)
}
console.log(`${kills} kills, ${same} folders ended, all with the same results: ${process.exitCode !== 1}`)

const shared = join(folder, 'shared')
const codes = await Promise.all([1, 2].map(() => ended(start(shared))))
const timed = readFileSync(join(shared, 'timings.jsonl'), 'utf8').trim().split('\n').length
console.log(
  `two processes: exits ${codes.join(', ')}, ${count(shared)} results, ${timed} commits, same: ${lines(shared) === lines(whole)}`,
)
if (lines(shared) !== lines(whole) || timed !== count(whole)) process.exitCode = 1
rmSync(folder, { recursive: true, force: true })
