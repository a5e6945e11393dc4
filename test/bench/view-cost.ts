// What watching costs a run: node dist/test/bench/view-cost.js [ROUNDS]. Pairs of equal runs of the embedded model, of which
// one is watched by a reader of its events. Prints the ratio of their times and of their processor times (which other work on the
// machine changes less), and the processor time of the page's server.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { repository } from '../fixtures.ts'

const rounds = Number(process.argv[2] ?? 3)
const main = join(repository, 'dist/engine/cli/main.js')
/** Linux counts the time of a process in hundredths of a second. */
const ticksPerSecond = 100

const folder = mkdtempSync(join(tmpdir(), 'view-cost-'))
const ratios: number[] = []
const cpuRatios: number[] = []
for (let round = 0; round < rounds; round++) {
  // each takes the first place once: what runs second finds warm caches
  const order = round % 2 === 0 ? [false, true] : [true, false]
  const seconds = new Map<boolean, number>()
  const cpu = new Map<boolean, number>()
  for (const watched of order) {
    const run = await train(join(folder, `${round}-${watched}`), watched)
    seconds.set(watched, run.seconds)
    cpu.set(watched, run.runCpu)
    if (watched)
      console.log(
        `server of the page: ${run.cpu.toFixed(2)} s of processor time in ${run.seconds.toFixed(1)} s (${((100 * run.cpu) / run.seconds).toFixed(1)} %), ${run.events} events read`,
      )
  }
  ratios.push((seconds.get(true) ?? 0) / (seconds.get(false) ?? 1))
  cpuRatios.push((cpu.get(true) ?? 0) / (cpu.get(false) ?? 1))
}
rmSync(folder, { recursive: true })
print('seconds', ratios)
print('processor time of the run', cpuRatios)

function print(what: string, ratios: readonly number[]): void {
  const middle = [...ratios].sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? Number.NaN
  const each = ratios.map(ratio => ratio.toFixed(3)).join(' ')
  console.log(`${what}, watched / not watched: ${each}; median ${middle.toFixed(3)}`)
}

/** Trains for 20 updates; the seconds between its first and its last update, which leaves out how it starts. */
async function train(out: string, watched: boolean) {
  const settings = ['model=builtin:cold-start', 'steps=20', 'checkpointEvery=0'].flatMap(one => [
    '--set',
    one,
  ])
  const run = spawn(
    process.execPath,
    [main, 'run', 'graphs/grpo.json', ...settings, '--seed', '1', '--out', out],
    {
      cwd: repository,
      stdio: 'ignore',
    },
  )
  let runCpu = 0
  const count = setInterval(() => {
    runCpu = Math.max(runCpu, cpuOf(run.pid))
  }, 50)
  const over = new Promise(done => run.on('exit', done))
  while (!existsSync(join(out, 'manifest.json'))) await setTimeout(50)
  const watch = watched ? await watchRun(out) : undefined
  await over
  clearInterval(count)
  const times = readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).seconds)
  return { seconds: times.at(-1) - times[0], runCpu, cpu: watch?.cpu() ?? 0, events: watch?.close() ?? 0 }
}

async function watchRun(out: string) {
  const view = spawn(process.execPath, [main, 'view', out], { cwd: repository })
  const address = await new Promise<string>(done =>
    view.stdout.once('data', text => done(String(text).trim())),
  )
  const startCpu = cpuOf(view.pid)
  let events = 0
  const leave = new AbortController()
  const { body } = await fetch(new URL('events', address), { signal: leave.signal })
  const reading = (async () => {
    for await (const part of body ?? []) events += String(Buffer.from(part)).split('\n\n').length - 1
  })()
  reading.catch(() => {}) // it ends when the reader leaves
  return {
    cpu: () => cpuOf(view.pid) - startCpu,
    close: () => {
      leave.abort()
      view.kill()
      return events
    },
  }
}

/** 0 of a process that has ended. */
function cpuOf(pid = 0): number {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return 0
  const [user = 0, system = 0] =
    readFileSync(file, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? []
  return (user + system) / ticksPerSecond
}
