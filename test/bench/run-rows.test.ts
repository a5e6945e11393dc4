import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { FlowProcess } from './flow-process.ts'
import { rowsOf } from './run-rows.ts'

/** A process that behaves as `flow run` does: its files are those of the run before until it has cut them back. */
function fake(directory: string, steps: readonly number[]): FlowProcess {
  const program = `
    const { writeFileSync, appendFileSync } = require('node:fs')
    const status = { process: process.pid, gauges: { 'gpu bytes': 5, 'gpu peak bytes': 9 } }
    writeFileSync('metrics.jsonl', '{"step":1,"loss":0.5}\\n')
    writeFileSync('status.json', JSON.stringify(status))
    const steps = ${JSON.stringify(steps)}
    setInterval(() => {
      const step = steps.shift()
      if (step === undefined) return
      appendFileSync('metrics.jsonl', JSON.stringify({ step, loss: step, kl: 0, grad_norm: 1 }) + '\\n{"step":')
      appendFileSync('metrics.jsonl', '99}\\n')
    }, 20)`
  const child = spawn(process.execPath, ['-e', program], { cwd: directory, stdio: 'ignore' })
  return { child, ended: new Promise(done => child.once('exit', () => done())) }
}

t.test('rows begin after the checkpoint, and the process ends with their reader', async t => {
  const directory = t.testdir()
  writeFileSync(join(directory, 'metrics.jsonl'), '{"step":1}\n{"step":2}\n{"step":3}\n')
  writeFileSync(join(directory, 'status.json'), JSON.stringify({ process: 1, gauges: {} }))
  const flow = fake(directory, [2])
  const found: unknown[] = []
  for await (const row of rowsOf(flow, directory, 1)) {
    found.push(row)
    if (row.update === 99) break
  }
  t.match(found, [
    { update: 2, gpuBytes: 5, gpuPeakBytes: 9, numbers: '[2,0,1]' },
    { update: 99, gpuBytes: 5 },
  ])
  t.equal(flow.child.signalCode, 'SIGKILL')
})
