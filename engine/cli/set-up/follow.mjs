// Runs a program of flow without two warnings that Dawn writes when it looks for GPUs. A software driver lets a pipeline have
// a million dynamic buffers, Dawn sixteen, flow uses none; no setting of Dawn keeps it from saying so.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'

const needless = /^Warning: maxDynamic\w+ artificially reduced/

/** Where the program writes its own complaints: past the filter, so that they keep their order with what it prints. */
const complaints = 3

/** Runs Node with these words; the exit code is that of the program. */
export function follow(words, environment = {}) {
  if (words.length === 0) return Promise.resolve(0)
  const child = spawn(process.execPath, words, {
    stdio: ['inherit', 'inherit', 'pipe', 2],
    env: { ...process.env, ...environment, FLOW_COMPLAINTS: `${complaints} of ${process.pid}` },
  })
  createInterface({ input: child.stderr }).on('line', line => {
    if (!needless.test(line)) process.stderr.write(`${line}\n`)
  })
  // A terminal sends Ctrl-C to both processes, anything else to this one only. The program decides what it means.
  const terminal = process.stdin.isTTY || process.stdout.isTTY
  process.on('SIGINT', () => terminal || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, signal) => done(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}
