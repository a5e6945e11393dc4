import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeEvents } from '../../../../operators/eval/results/report-events.ts'
import { summarise } from '../../../../operators/eval/results/summary.ts'

const result = (id: string, task: string, outcome: 'right' | 'wrong') => ({
  id,
  benchmark: 'mlvu',
  tasks: [task],
  groups: {},
  clip: id,
  question: 'Which?',
  options: ['x', 'y'],
  letters: ['A', 'B'],
  answer: 'A',
  outcome,
  chosen: 'A',
  drawn: false,
  output: 'A',
  tokens: 1,
  finished: true,
  prompt: null,
  indices: [],
  framesPerSecond: null,
  sheet: null,
  message: null,
})

/** The data of the records of an event file: 8 bytes of length, 4 of checksum, the data, 4 of checksum. */
function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at))
    records.push(bytes.subarray(at + 12, at + 12 + length))
    at += 16 + length
  }
  return records
}

/** The number that follows a tag: field 2 of its value, four bytes. */
function scalarOf(event: Buffer, tag: string): number | undefined {
  const at = event.indexOf(`${tag}\x15`)
  return at < 0 ? undefined : event.readFloatLE(at + Buffer.byteLength(tag) + 1)
}

t.test('scores by benchmark and task become one event, at the step of the checkpoint', async t => {
  const folder = t.testdir()
  const results = [result('1', 'order', 'right'), result('2', 'order', 'wrong'), result('3', 'ego', 'right')]
  const questions = results.map(({ id, clip }) => ({ id, clip }))
  const rest = { excluded: [], findings: [], shard: 1, shards: 1 }
  const benchmark = { name: 'mlvu', headline: 'tasks', questions, ...rest } as const
  const summary = summarise(benchmark, { model: 'runs/a/checkpoint-500/' }, results, [])
  writeEvents(folder, summary)
  writeEvents(folder, summary)
  const files = readdirSync(join(folder, 'tensorboard'))
  t.equal(files.length, 1, 'a new report takes the place of the earlier one')
  const records = recordsOf(readFileSync(join(folder, 'tensorboard', files[0] ?? '')))
  t.equal(records.length, 2, 'the version, then the scores')
  const event = records[1] ?? Buffer.alloc(0)
  t.equal(scalarOf(event, 'mlvu/score'), 0.75)
  t.equal(scalarOf(event, 'mlvu/average/tasks'), 0.75)
  t.equal(scalarOf(event, 'mlvu/task/order'), 0.5)
  t.equal(scalarOf(event, 'mlvu/task/ego'), 1)
  t.ok(event.includes(Buffer.from([0x10, 0xf4, 0x03])), 'step 500')
})
