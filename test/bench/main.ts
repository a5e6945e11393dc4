// npm run bench -- WORK [--rounds N] [--all] [--json]: times work on the adapter at hand; see `works`.
// npm run bench -- memory [--rounds N]: what N updates leave behind on the GPU and in the process.
import { parseArgs } from 'node:util'
import { openDevice } from '../../kernels/device.ts'
import { gemm } from './gemm.ts'
import { summary } from './measure.ts'
import { memory, memoryLines } from './memory.ts'
import { decode, encode, prefill, update } from './model.ts'

const works = { gemm, encode, prefill, decode, update }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    all: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const [name] = positionals
if (name === 'memory') {
  for (const line of memoryLines(await memory(Number(values.rounds), 20))) console.log(line)
  process.exit(0)
}
const work = Object.entries(works).find(([known]) => known === name)?.[1]
if (!work) {
  console.error(`bench: must name one of ${Object.keys(works).join(', ')}, found ${name ?? 'nothing'}`)
  process.exit(2)
}
const device = await openDevice()
const adapter = device.info.description
  ? `${device.info.device} ${device.info.description}`
  : device.info.device
const date = new Date().toISOString().slice(0, 10)
if (!values.json) console.log(`${adapter}, ${device.family} kernels, matrix units ${device.units}, ${date}`)
for await (const measurement of work(device, Number(values.rounds), values.all)) {
  const found = summary(measurement)
  if (values.json) console.log(JSON.stringify({ ...found, work: name, adapter, date }))
  else console.log(line(found))
}
device.close()
process.exit(0)

function line({
  name,
  milliseconds,
  spread,
  teraflops,
  gigabytesPerSecond,
  rounds,
}: ReturnType<typeof summary>): string {
  const rates = [
    teraflops && `${teraflops.toFixed(1)} TFLOPS`,
    gigabytesPerSecond && `${gigabytesPerSecond.toFixed(0)} GB/s`,
  ]
  return `${name}: ${milliseconds.toFixed(milliseconds < 1 ? 4 : 2)} ms ± ${(spread * 100).toFixed(0)} % of ${rounds} ${rates.filter(Boolean).join(', ')}`
}
