import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runFile } from './run-file.ts'

const tap = "import t from 'tap'\n"
const good = `${tap}t.test('outer', async t => { t.ok(true); t.test('inner', async t => { t.equal(1, 1) }) })`

t.test('passed assertions are counted through all levels', async t => {
  const folder = t.testdir({ 'good.js': good })
  const { passed, failed, failures } = await runFile(join(folder, 'good.js'))
  t.same({ passed, failed, failures }, { passed: 2, failed: 0, failures: [] })
})

t.test('a failed assertion is told by its whole name and what differed', async t => {
  const code = `${tap}t.test('outer', async t => { t.equal('one', 'two', 'numbers'); t.ok(true) })`
  const { passed, failed, failures } = await runFile(join(t.testdir({ 'bad.js': code }), 'bad.js'))
  t.same({ passed, failed }, { passed: 1, failed: 1 })
  t.match(failures[0], /outer > numbers\n[\s\S]*-two\n[\s\S]*\+one/)
})

const fatal: Record<string, [code: string, expected: RegExp]> = {
  'a crash': [`${tap}t.ok(true)\nprocess.kill(process.pid, 'SIGSEGV')`, /crashed: SIGSEGV/],
  'an exception at the top': ["throw new Error('at the top')", /no assertion ran \(exit code 1\)/],
  'a file without assertions': ["console.log('hello')", /no assertion ran \(exit code 0\)/],
  'an exit in the middle': [`${tap}t.test('cut', async t => { t.ok(true); process.exit(0) })`, /cut/],
  'a test that never ends': [
    `${tap}t.test('open', async t => { t.ok(true); await new Promise(() => {}) })`,
    /open/,
  ],
}
for (const [name, [code, expected]] of Object.entries(fatal)) {
  t.test(`${name} is a failure`, async t => {
    const { failed, failures } = await runFile(join(t.testdir({ 'file.js': code }), 'file.js'))
    t.equal(failed, 1)
    t.match(failures[0], expected)
  })
}

t.test('a file that hangs is stopped at the deadline', async t => {
  const code = `${tap}t.ok(true)\nwhile (true) {}`
  const { failed, failures } = await runFile(join(t.testdir({ 'hang.js': code }), 'hang.js'), 2)
  t.equal(failed, 1)
  t.match(failures[0], /stopped: not finished after 2 s/)
})

t.test('what a failing file wrote to stderr is shown', async t => {
  const code = "console.error('the reason')\nprocess.exit(3)"
  const { failures } = await runFile(join(t.testdir({ 'file.js': code }), 'file.js'))
  t.match(failures.join('\n'), /exit code 3[\s\S]*the reason/)
})

// The same file as it runs: compiled, or as source under a loader.
const runner = join(dirname(fileURLToPath(import.meta.url)), `run${fileURLToPath(import.meta.url).slice(-3)}`)
function runAll(folder: string, ...args: string[]) {
  const options = { encoding: 'utf8', env: { ...process.env, FLOW_TEST_FOLDER: folder } } as const
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, runner, ...args], options)
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1), stdout }
}

t.test('the runner adds up all files, ends with the count, and exits with it', async t => {
  const folder = t.testdir({
    'good.test.js': good,
    deep: { 'bad.test.js': `${tap}t.ok(false)` },
    'helper.js': 'process.exit(1)',
  })
  const all = runAll(folder)
  t.match(all, { status: 1, lastLine: '2 passed, 1 failed' })
  t.match(runAll(folder, 'good'), { status: 0, lastLine: '2 passed, 0 failed' })
})

t.test('it does not pass when no test ran', async t => {
  const empty = runAll(t.testdir({}))
  t.match(empty, { status: 1, lastLine: '0 passed, 1 failed', stdout: /no tests ran/ })
  t.match(runAll(t.testdir({ 'good.test.js': good }), 'nothing-like-it'), { status: 1 })
})
