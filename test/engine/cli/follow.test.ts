// The command `flow` shows all that its program writes but for two warnings of Dawn, in order, and ends as it does.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { repository } from '../../fixtures.ts'

t.setTimeout(200_000)
const setUp = join(repository, 'engine/cli/set-up')
const flow = join(setUp, 'flow.mjs')

/** Words of Node that follow a program given as its text. */
const following = (program: string): string[] => {
  const url = pathToFileURL(join(setUp, 'follow.mjs')).href
  const text = `import { follow } from ${JSON.stringify(url)}
process.exitCode = await follow(['-e', ${JSON.stringify(program)}])`
  return ['--input-type=module', '-e', text]
}

const warnings = ['Uniform', 'Storage'].map(
  kind =>
    `Warning: maxDynamic${kind}BuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit dynamic offset allocation limit.`,
)

t.test('two warnings are left out, all else on standard error is not', async t => {
  const lines = ['before', ...warnings, 'Warning: something else', 'after']
  const program = `process.stderr.write(${JSON.stringify(`${lines.join('\n')}\n`)}); process.exitCode = 7`
  const { status, stderr } = spawnSync(process.execPath, following(program), { encoding: 'utf8' })
  t.equal(status, 7)
  t.equal(stderr, 'before\nWarning: something else\nafter\n')
})

t.test('complaints keep their order with what is printed, and a reader may be slow', async t => {
  const words = ['-c', '"$@" 2>&1 | (sleep 1; cat)', 'bash', process.execPath, flow, 'run', 'no-such.json']
  const { stdout } = spawnSync('bash', words, { encoding: 'utf8', cwd: t.testdir({}) })
  t.match(stdout, /^no-such\.json: must be a file that can be read/)
  t.match(stdout, /\n {4}fix: {2}\S/)
  const program = `const { writeSync } = require('node:fs')
for (let i = 0; i < 50; i++) { writeSync(1, 'out ' + i + '\\n'); writeSync(3, 'err ' + i + '\\n') }`
  const both = ['-c', '"$@" 2>&1', 'bash', process.execPath, ...following(program)]
  const wanted = Array.from({ length: 50 }, (_, i) => `out ${i}\nerr ${i}\n`).join('')
  t.equal(spawnSync('bash', both, { encoding: 'utf8' }).stdout, wanted)
})

t.test(
  'the exit code of a verb is that of the command, and other processes have no such descriptor',
  async t => {
    const codeOf = (...words: string[]) =>
      spawnSync(process.execPath, [flow, ...words], { cwd: repository }).status
    t.equal(codeOf('--version'), 0)
    t.equal(codeOf('none'), 2)
    const FLOW_COMPLAINTS = '3 of 1'
    const main = join(repository, 'dist/engine/cli/main.js')
    const env = { ...process.env, FLOW_COMPLAINTS }
    const { stderr } = spawnSync(process.execPath, [main, 'none'], { encoding: 'utf8', env })
    t.match(stderr, /^none: must be a verb/)
  },
)

t.test('a signal reaches the program, which decides what it means', async t => {
  const program = `process.on('SIGTERM', () => process.exit(5)); console.log('ready'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, following(program), { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  t.equal(code, 5)
  const killed = spawnSync(process.execPath, following("process.kill(process.pid, 'SIGKILL')"))
  t.equal(killed.status, 128 + 9)
})
