// Kills an evaluation with SIGKILL at random moments and lets it go on: node dist/test/bench/eval-kill.js [KILLS]
// Each question is asked three times, and all clips lie in archives: zip (stored and deflated), tar in parts, tar.gz.
// Prints for each kill how far it was, and in the end whether the results are those of an undisturbed run with the clips
// unpacked. Then two processes share one folder.
import { type ChildProcess, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fixture, repository } from '../fixtures.ts'
import { partsOf, tarGzOf, tarOf, zipOf } from '../operators/files/make-archives.ts'

const kills = Number(process.argv[2] ?? 20)
const folder = mkdtempSync(join(tmpdir(), 'flow-kill-'))
let runs = 0

const unpacked = join(fixture('benchmarks'), 'MVBench')
const packed = join(folder, 'MVBench')

/** The benchmark with the clips of each source in an archive of another kind. */
function pack(): void {
  mkdirSync(join(packed, 'video'), { recursive: true })
  cpSync(join(unpacked, 'json'), join(packed, 'json'), { recursive: true })
  for (const [i, source] of readdirSync(join(unpacked, 'video')).sort().entries()) {
    const place = join(unpacked, 'video')
    const entries = readdirSync(join(place, source), { recursive: true, withFileTypes: true })
    const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
    const files = Object.fromEntries(paths.map(path => [relative(place, path), readFileSync(path)]))
    const write = (ending: string, bytes: Buffer) =>
      writeFileSync(join(packed, 'video', `${source}${ending}`), bytes)
    if (i % 4 === 0) write('.zip', zipOf(files, { deflate: true }))
    if (i % 4 === 1) write('.zip', zipOf(files))
    if (i % 4 === 2) write('.tar.gz', tarGzOf(files))
    if (i % 4 === 3)
      for (const [n, part] of partsOf(tarOf(files), 20_000).entries())
        write(`.tar.${String(n).padStart(3, '0')}`, part)
  }
}

const main = fileURLToPath(
  new URL(`../../engine/cli/main${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)
const start = (out: string, data = packed): ChildProcess => {
  const set = [`data=${data}`, 'answers=oracle', 'repeats=3', 'frames=4', `out=${out}`]
  const run = [...process.execArgv, main, 'run', 'graphs/eval/mvbench.json']
  const directory = ['--out', join(folder, `run-${runs++}`)]
  const words = [...run, ...set.flatMap(one => ['--set', one]), ...directory]
  const env = { ...process.env, FLOW_CACHE: join(folder, 'cache') }
  return spawn(process.execPath, words, { cwd: repository, stdio: 'ignore', env })
}
const ended = (child: ChildProcess): Promise<number | null> => {
  return new Promise(resolve => child.once('exit', code => resolve(code)))
}
const count = (out: string): number => {
  const results = join(out, 'results')
  return existsSync(results) ? readdirSync(results).filter(name => name.endsWith('.json')).length : 0
}
/** Messages about a missing clip name the folder of the data. */
const lines = (out: string): string =>
  readFileSync(join(out, 'results.jsonl'), 'utf8').replaceAll(unpacked, 'DATA').replaceAll(packed, 'DATA')

pack()
const whole = join(folder, 'whole')
const started = performance.now()
await ended(start(whole, unpacked))
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
const left = existsSync(join(folder, 'cache/unpacked'))
  ? readdirSync(join(folder, 'cache/unpacked')).length
  : 0
console.log(`${left} unpacked clips left`)
rmSync(folder, { recursive: true, force: true })
