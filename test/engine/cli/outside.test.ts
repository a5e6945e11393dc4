// What happens to a run from outside: readers that leave, a second process, a folder that vanishes.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { repository } from '../../fixtures.ts'

const isSource = import.meta.url.endsWith('.ts')
const main = isSource ? ['--import', 'tsx', 'engine/cli/main.ts'] : ['dist/engine/cli/main.js']

t.setTimeout(800_000)

const plugin = `
export const api = 1
export const operators = {
  'my.count': {
    summary: 'Counts slowly.',
    config: { count: { type: 'integer', description: 'Items.' }, delayMs: { type: 'number', description: 'Time between them.' } },
    inputs: {},
    outputs: { items: 'any' },
    run: (_, { count, delayMs }, context) => ({
      items: context.source(async function* () {
        for (let i = 0; i < count; i++) {
          await new Promise(done => setTimeout(done, delayMs))
          yield { key: String(i), value: i }
        }
      }),
    }),
  },
  'my.learn': {
    summary: 'Records a metric for each item.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    effects: true,
    run: ({ items }, _, context) => ({
      done: items.pipe(context.each(value => { context.record('metrics', { step: value + 1, loss: value }); return undefined })),
    }),
  },
  'my.fail': {
    summary: 'Fails at each item.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    effects: true,
    run: ({ items }, _, context) => ({ done: items.pipe(context.each(() => { throw new Error('lost') })) }),
  },
}`

const graphOf = (count: number, delayMs: number) =>
  JSON.stringify({
    version: 1,
    summary: 'Counts.',
    plugins: ['./plugin.mjs'],
    checkpoint: { every: 1000 },
    nodes: {
      items: { operator: 'my.count', config: { count, delayMs } },
      learn: { operator: 'my.learn', from: { items: 'items.items' } },
    },
  })

const filesOf = (count: number, delayMs: number) => ({
  'g.json': graphOf(count, delayMs),
  'plugin.mjs': plugin,
})

const start = (words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [...main, ...words], { cwd: repository, timeout: 400_000 })

async function ended(child: ChildProcess): Promise<{ code: number | null; complaints: string }> {
  let complaints = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    complaints += text
  })
  const code = await new Promise<number | null>(done => child.once('close', done))
  return { code, complaints }
}

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await setTimeout(20)
}

const manifestOf = (run: string) => JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'))
const steps = (run: string) => readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').length

t.test('a reader that leaves does not end a run, and a failed run still exits 1', async t => {
  const folder = t.testdir(filesOf(20, 20))
  const run = join(folder, 'run')
  const child = start(['run', join(folder, 'g.json'), '--out', run])
  child.stdout?.destroy()
  const { code, complaints } = await ended(child)
  t.equal(code, 0, complaints)
  t.equal(manifestOf(run).status, 'completed')
  t.equal(steps(run), 20)

  const words = ['--out', join(folder, 'failed'), '--set', 'nodes.learn.operator=my.fail']
  const failing = start(['run', join(folder, 'g.json'), ...words])
  failing.stdout?.destroy()
  t.equal((await ended(failing)).code, 1)
})

t.test('a terminal that closes does not end a run', async t => {
  const folder = t.testdir(filesOf(20, 20))
  const run = join(folder, 'run')
  const child = start(['run', join(folder, 'g.json'), '--out', run])
  await until(() => existsSync(join(run, 'metrics.jsonl')))
  child.kill('SIGHUP')
  child.stdout?.destroy()
  child.stderr?.destroy()
  t.equal((await ended(child)).code, 0)
  t.equal(manifestOf(run).status, 'completed')
  t.equal(steps(run), 20)
})

t.test('a second run in the same folder is refused with the process that holds it', async t => {
  const folder = t.testdir(filesOf(100_000, 20))
  const run = join(folder, 'run')
  const first = start(['run', join(folder, 'g.json'), '--out', run])
  await until(() => existsSync(join(run, 'metrics.jsonl')))
  for (const words of [
    ['--resume', run],
    [join(folder, 'g.json'), '--out', run],
  ]) {
    const { code, complaints } = await ended(start(['run', ...words]))
    t.equal(code, 2)
    t.match(complaints, new RegExp(`must be worked on by one process, found process ${first.pid} on`))
  }
  first.kill('SIGINT')
  t.equal((await ended(first)).code, 130)
  t.equal(manifestOf(run).acknowledged, steps(run), 'nobody else wrote into it')
  t.notOk(existsSync(join(run, 'run.lock')), 'the lock is given back')
})

t.test('a run whose folder is removed or replaced fails at its next line', async t => {
  for (const gone of [
    (run: string) => rmSync(run, { recursive: true }),
    (run: string) => renameSync(run, `${run}-away`),
  ]) {
    const folder = t.testdir(filesOf(100_000, 20))
    const run = join(folder, 'run')
    const child = start(['run', join(folder, 'g.json'), '--out', run])
    await until(() => existsSync(join(run, 'metrics.jsonl')))
    // it writes nothing meanwhile, so that the folder goes as a whole
    child.kill('SIGSTOP')
    gone(run)
    child.kill('SIGCONT')
    const { code, complaints } = await ended(child)
    t.equal(code, 1, complaints)
    t.match(complaints, /cannot write .*run\/.*: (it|its folder) was removed or replaced by another program/)
    t.notMatch(complaints, /^ {4}at /m, 'no stack')
    t.notOk(existsSync(join(run, 'manifest.json')) && manifestOf(run).status === 'completed')
  }
})
