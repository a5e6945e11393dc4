// npm run bench -- WORK [flags]: times work on the adapter at hand. WORK is one of `works`, or memory, engine,
// logits, rounding, endure, power-cut, mutations, soak, machines, hosts, simulate, overhead, hardware, run.
//   --rounds N     how often, run: updates (default 20)
//   --json         one JSON object a line
//   --baseline     the same work in PyTorch on the same machine after it, and the ratios (needs python3 with torch)
//   --config FILE  sizes of the models (default: the released ones)
//   --lora         update, step, endure: adapters instead of full training
//   --recompute P  update, step: none (default), mlp or full
//   --folder DIR   load, endure, run, hosts: where the checkpoint is written; soak: where its folder is made
//   --all          gemm, decode-cuts: every cut
//   --only NAME    gemm: shapes whose names begin so, e.g. bar; decode-cuts: products, e.g. "down 64"; integers: one of
//                  stored, int8, int4; hosts: jobs whose names hold one of these texts, e.g. evaluation,divided adapters
//   --profile      decode, integers, encode, prefill, update: where the time goes, by kernel
//   --every N      endure, soak: updates between two checkpoints; 0 (default): endure one at the end, soak 20
//   --kill N       endure: the run is killed after this update and goes on, unless it was the last; 0 (default): never
//   --leave        endure: the run is killed after its last update, without a checkpoint at the end
//   --cuts N       power-cut: moments at which the power fails (default 200)
//   --resumes N    power-cut: of these, gone on with to the end (default 10)
//   --graphs N, --networks N, --checkpoints N, --results N, --benchmarks N, --clips N, --weights N
//                  mutations: how many of each are changed at random and read (default 0)
//   --questions N  rounding: that the embedded model is asked (default 5000)
//   --updates N, --questions N, --kills N
//                  soak: updates of the training (default 1000), questions of the evaluation (5000), kills in all (60)
//   --faults N, --workers N
//                  machines: faults that strike runs over many processes (default 50), and workers of a run (3)
//   --gpus LIST    hosts: the first GPU, and the others (default 0,1)
//   --one          hosts: two processes on the first GPU, and fewer runs
//   --updates N    hosts: of a training (default: 5, or 4 on a software adapter)
//   --seed N       power-cut, mutations, soak, machines: what is drawn at random (default 1)
//   --set P=VALUE  endure, run: a param of the graph; may be repeated
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { openDevice } from '../../kernels/device/device.ts'
import { baseline, ratios } from './baseline.ts'
import { decode } from './decode.ts'
import { decodeCuts } from './decode-cuts.ts'
import { endure } from './endure.ts'
import { engineLines } from './engine.ts'
import { gemm } from './gemm.ts'
import { hardwareLines } from './hardware.ts'
import { hosts } from './hosts/hosts.ts'
import { simulateCheck } from './hosts/simulate-check.ts'
import { integers } from './integers.ts'
import { load } from './load.ts'
import { logits } from './logits.ts'
import { machines } from './machines/machines.ts'
import { overhead } from './machines/overhead.ts'
import { type Summary, summary } from './measure.ts'
import { memory, memoryLines } from './memory.ts'
import { encode, prefill, update } from './model.ts'
import { mutations, noMutations } from './mutations.ts'
import { powerCut } from './power-cut.ts'
import { refill } from './refill.ts'
import { releasedConfig } from './released.ts'
import { rounding } from './rounding.ts'
import { run } from './run.ts'
import { soak } from './soak.ts'
import { step } from './step.ts'

const works = {
  gemm,
  encode,
  prefill,
  decode,
  'decode-cuts': decodeCuts,
  integers,
  update,
  step,
  refill,
  load,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    all: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    baseline: { type: 'boolean', default: false },
    lora: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    recompute: { type: 'string', default: 'none' },
    config: { type: 'string', default: '' },
    gpus: { type: 'string', default: '0,1' },
    one: { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
    every: { type: 'string', default: '0' },
    kill: { type: 'string', default: '0' },
    cuts: { type: 'string', default: '200' },
    resumes: { type: 'string', default: '10' },
    graphs: { type: 'string', default: '0' },
    networks: { type: 'string', default: '0' },
    checkpoints: { type: 'string', default: '0' },
    results: { type: 'string', default: '0' },
    benchmarks: { type: 'string', default: '0' },
    clips: { type: 'string', default: '0' },
    weights: { type: 'string', default: '0' },
    updates: { type: 'string' },
    questions: { type: 'string', default: '5000' },
    kills: { type: 'string', default: '60' },
    faults: { type: 'string', default: '50' },
    workers: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    leave: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
  },
})
const recompute = (['none', 'mlp', 'full'] as const).find(policy => policy === values.recompute)
if (!recompute) {
  console.error(`bench: --recompute must be none, mlp or full, found ${values.recompute}`)
  process.exit(2)
}
const options = {
  ...values,
  config: values.config || releasedConfig,
  rounds: Number(values.rounds),
  recompute,
}
const [name] = positionals
if (name === 'memory') {
  for (const line of memoryLines(await memory(options.rounds, 20))) console.log(line)
  process.exit(0)
}
if (name === 'engine') {
  for (const line of await engineLines(options.rounds)) console.log(line)
  process.exit(0)
}
if (name === 'endure') {
  const { every, kill } = values
  for await (const line of endure({ ...options, every: Number(every), kill: Number(kill) })) console.log(line)
  process.exit(0)
}
if (name === 'power-cut') {
  const { cuts, resumes, seed } = values
  for await (const line of powerCut({ cuts: Number(cuts), resumes: Number(resumes), seed: Number(seed) }))
    console.log(line)
  process.exit(0)
}
if (name === 'soak') {
  const { updates, questions, kills, every, seed, folder } = values
  const counts = { updates: Number(updates ?? 1000), questions: Number(questions), kills: Number(kills) }
  const lines = soak({ ...counts, every: Number(every) || 20, seed: Number(seed), folder })
  let line = await lines.next()
  for (; !line.done; line = await lines.next()) console.log(line.value)
  process.exit(line.value.length > 0 ? 1 : 0)
}
if (name === 'machines') {
  const { faults, workers, seed } = values
  const lines = machines({ faults: Number(faults), workers: Number(workers), seed: Number(seed) })
  let line = await lines.next()
  for (; !line.done; line = await lines.next()) console.log(line.value)
  process.exit(line.value > 0 ? 1 : 0)
}
if (name === 'hosts') {
  const { gpus, one, config, folder, updates, only } = values
  const lines = hosts({ gpus, one, config, folder, only, steps: Number(updates ?? 0) })
  let line = await lines.next()
  for (; !line.done; line = await lines.next()) console.log(line.value)
  process.exit(line.value > 0 ? 1 : 0)
}
if (name === 'simulate') {
  for await (const line of simulateCheck()) console.log(line)
  process.exit(0)
}
if (name === 'overhead') {
  for await (const line of overhead(options.rounds)) console.log(line)
  process.exit(0)
}
if (name === 'mutations') {
  const { graphs, networks, checkpoints, results, benchmarks, clips, weights, seed } = values
  const counts = { graphs, networks, checkpoints, results, benchmarks, clips, weights, seed }
  const numbers = Object.entries(counts).map(([kind, count]) => [kind, Number(count)] as const)
  for await (const line of mutations({ ...noMutations, ...Object.fromEntries(numbers) })) console.log(line)
  process.exit(0)
}
if (name === 'hardware') {
  for (const line of hardwareLines()) console.log(line)
  process.exit(0)
}
if (name === 'rounding') {
  const questions = Number(values.questions)
  for await (const line of rounding({ folder: options.folder, questions })) console.log(line)
  process.exit(0)
}
if (name === 'run') {
  for await (const line of run(options)) console.log(line)
  process.exit(0)
}
if (name === 'logits') {
  for await (const line of logits(await openDevice(), options)) console.log(line)
  process.exit(0)
}
const work = Object.entries(works).find(([known]) => known === name)?.[1]
if (!work) {
  console.error(
    `bench: must name one of ${Object.keys(works).join(', ')}, memory, engine, logits, endure, power-cut, mutations, hardware, soak, machines, hosts, simulate, overhead, rounding, run, found ${name ?? 'nothing'}`,
  )
  process.exit(2)
}
const device = await openDevice()
const { device: gpu, description: driver } = device.info
const date = new Date().toISOString().slice(0, 10)
if (!values.json)
  console.log(`${gpu} (${driver}), ${device.family} kernels, matrix units ${device.units}, ${date}`)
const found: Summary[] = []
for await (const measurement of work(device, options)) {
  const one = summary(measurement, `${gpu} ${driver}`)
  found.push(one)
  if (values.json) console.log(JSON.stringify({ ...one, work: name, adapter: gpu, driver, date }))
  else console.log(line(one))
}
device.close()
if (values.baseline) {
  const others = await baseline(String(name))
  for (const other of others) console.log(values.json ? JSON.stringify(other) : line(other))
  for (const ratio of ratios(found, others)) console.log(values.json ? JSON.stringify(ratio) : ratio.text)
}
process.exit(0)

function line(of: Summary): string {
  const { name, milliseconds, spread, rounds } = of
  const rates = [
    of.teraflops && `${of.teraflops.toFixed(1)} TFLOPS`,
    of.gigabytesPerSecond && `${of.gigabytesPerSecond.toPrecision(3)} GB/s`,
    of.tokensPerSecond && `${of.tokensPerSecond.toPrecision(3)} tokens/s`,
    of.roofline && `${(of.roofline * 100).toFixed(0)} % of the roofline`,
    of.peakGigabytes && `at most ${of.peakGigabytes.toFixed(2)} GB of GPU memory`,
    of.residentGigabytes && `at most ${of.residentGigabytes.toFixed(2)} GB of process memory`,
  ]
  const time = `${milliseconds.toFixed(milliseconds < 1 ? 4 : 2)} ms ± ${(spread * 100).toFixed(0)} % of ${rounds}`
  return `${name}: ${[time, ...rates.filter(Boolean)].join(', ')}`
}
