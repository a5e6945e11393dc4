import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { repository } from '../../fixtures.ts'
import {
  build,
  failed,
  fake,
  ok,
  openMachine,
  packages,
  parseRelease,
  type Step,
  satisfies,
  setUp,
} from './set-up-machine.ts'

t.test('npm packages are installed when one of the lock file is absent or old, optional ones aside', t => {
  const wanted = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  }
  t.ok(satisfies(wanted, { 'node_modules/a': { version: '1.0.0' } }))
  t.notOk(satisfies(wanted, { 'node_modules/a': { version: '1.0.1' } }))
  t.notOk(satisfies(wanted, {}))
  t.end()
})

t.test(
  'npm ci says nothing of install scripts: package.json allows those that the lock file has',
  async t => {
    const read = (name: string) => JSON.parse(readFileSync(join(repository, name), 'utf8'))
    const entries: [string, { hasInstallScript?: true }][] = Object.entries(
      read('package-lock.json').packages,
    )
    const names = entries.flatMap(([path, { hasInstallScript }]) =>
      hasInstallScript ? path.replace(/^.*node_modules\//, '') : [],
    )
    t.ok(names.length > 0)
    t.same(read('package.json').allowScripts, Object.fromEntries(names.map(name => [name, true])))
  },
)

t.test('npm runs without install scripts: one of them downloads ffmpeg and may hang', async t => {
  const { machine, ran } = fake(() => ok, { exists: () => false })
  await packages(machine)
  t.ok(ran('ci --include=dev --include=optional --ignore-scripts'))
  const broken = fake(() => failed, { exists: () => false })
  await t.rejects(packages(broken.machine), /npm ci failed\n {4}it broke/)
})

t.test('everything missing is reported at once, and nothing is compiled then', async t => {
  const missing =
    (what: string): Step =>
    async () => ({ what, why: 'refused', commands: [`get ${what}`] })
  let built = false
  const compile: Step = async () => {
    built = true
    return undefined
  }
  const steps = { install: [missing('one'), async () => undefined, missing('two')], build: compile }
  await t.rejects(setUp.setUp(fake(() => ok).machine, steps), {
    message:
      'missing: one (refused). Install it:\n    get one\nmissing: two (refused). Install it:\n    get two',
  })
  t.notOk(built)
  await setUp.setUp(fake(() => ok).machine, { ...steps, install: [] })
  t.ok(built)
})

t.test(
  'a fresh machine gets ffmpeg while npm installs; an ffmpeg in node_modules is looked at after it',
  async t => {
    const order = async (hasModules: boolean) => {
      const events: string[] = []
      let installFfmpeg = () => {}
      const installed = new Promise<void>(done => {
        installFfmpeg = done
      })
      const { machine } = fake(() => ok, { exists: path => hasModules && path.endsWith('node_modules') })
      let hasFfmpeg = false
      machine.run = async (_, args) => {
        const text = args.join(' ')
        if (text.startsWith('ci ') || text.includes(' ci ')) {
          // On a fresh machine npm goes on until ffmpeg is there.
          if (!hasModules) await installed
          events.push('npm')
        }
        if (text.endsWith('ffmpeg')) {
          events.push('ffmpeg')
          hasFfmpeg = true
          installFfmpeg()
        }
        return text.includes('-version') && !hasFfmpeg ? failed : ok
      }
      await setUp.packagesAndFfmpeg(machine)
      return events
    }
    t.same(await order(false), ['ffmpeg', 'npm'])
    t.same(await order(true), ['npm', 'ffmpeg'])
  },
)

t.test('an old Node is refused', t => {
  t.throws(() => setUp.checkNode('18.20.4'), /Node 18.20.4 is too old/)
  t.doesNotThrow(() => setUp.checkNode('20.0.0'))
  t.end()
})

t.test('the release is read with and without quotes', t => {
  t.same(parseRelease('NAME="Debian"\nVERSION_CODENAME=bookworm\nID=debian\n'), {
    id: 'debian',
    codename: 'bookworm',
  })
  t.same(parseRelease('ID="alpine"\n'), { id: 'alpine', codename: '' })
  t.end()
})

t.test(
  'sources are compiled again when one changed or is gone, and what they had become is removed',
  async t => {
    const root = t.testdir({ 'tsconfig.json': '{}', engine: { 'a.ts': '', 'b.ts': '' } })
    const compile = async () => {
      mkdirSync(join(root, 'dist/engine'), { recursive: true })
      for (const name of ['a.js', 'a.d.ts', 'old.js', 'old.d.ts'])
        writeFileSync(join(root, 'dist/engine', name), '')
      return ok
    }
    const real = openMachine(root)
    let compiled = 0
    const counted = async () => {
      compiled++
      return compile()
    }
    const machine = { ...real, say: () => {}, run: counted }
    await build.build(machine)
    await build.build(machine)
    t.equal(compiled, 1)
    t.notOk(real.exists(join(root, 'dist/engine/old.js')))
    t.notOk(real.exists(join(root, 'dist/engine/old.d.ts')))
    t.ok(real.exists(join(root, 'dist/engine/a.js')))
    utimesSync(join(root, 'engine/a.ts'), 1, 1)
    await build.build(machine)
    t.equal(compiled, 2)
    const broken = { ...machine, run: async () => ({ status: 2, output: 'a.ts(1,1): error' }) }
    utimesSync(join(root, 'engine/b.ts'), 1, 1)
    await t.rejects(build.build(broken), /tsc found errors\n {4}a.ts\(1,1\): error/)
    t.not(readFileSync(join(root, 'dist/.built'), 'utf8'), build.fingerprint(root))
  },
)

t.test('npm start compiles without tsc what it runs, and npm test compiles everything after it', async t => {
  const root = t.testdir({
    'tsconfig.json': '{}',
    engine: {
      'a.ts':
        "import { type B, two } from './b.ts'\nexport const a: B = { n: two }\nexport { sep } from 'node:path'\n",
      'b.ts': 'export interface B { n: number }\nexport const two = 2\n',
      view: { page: { 'main.ts': 'no source of ours' } },
    },
    operators: {},
    kernels: {},
    dist: { engine: { 'old.js': '' } },
  })
  let compiled = 0
  const lines: string[] = []
  const run = async () => {
    compiled++
    return ok
  }
  const machine = { ...openMachine(root), say: (line: string) => lines.push(line), run }
  await build.build(machine, { quick: true })
  await build.build(machine, { quick: true })
  t.equal(compiled, 0)
  t.match(lines, ['compiling TypeScript (esbuild; npm run build also checks types and writes declarations)'])
  const { a, sep } = await import(pathToFileURL(join(root, 'dist/engine/a.js')).href)
  t.same(a, { n: 2 })
  t.type(sep, 'string')
  t.notOk(machine.exists(join(root, 'dist/engine/old.js')))
  t.notOk(machine.exists(join(root, 'dist/engine/view')))

  await build.build(machine)
  t.equal(compiled, 1)
  await build.build(machine, { quick: true })
  t.equal(lines.length, 2, 'what tsc wrote does for both')

  writeFileSync(join(root, 'engine/b.ts'), 'export const two: = 3\n')
  await t.rejects(build.build(machine, { quick: true }), /engine\/b\.ts:1:18: ERROR: /)
})

t.test('a command that does not end is stopped, with what it started', async t => {
  const { run } = openMachine(t.testdir())
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const { status, output } = await run(process.execPath, ['-e', script], { deadlineSeconds: 4 })
  t.equal(status, null)
  t.match(output, /stopped: not finished after 4 s/)
  const pid = Number.parseInt(output, 10)
  t.ok(pid > 0)
  // Its parent is gone, so a moment may pass until init has collected it.
  for (let i = 0; i < 100 && alive(pid); i++) await new Promise(resolve => setTimeout(resolve, 50))
  t.notOk(alive(pid))
})

t.test('a command that does not exist is a failure, not an exception', async t => {
  const { run } = openMachine(t.testdir())
  const { status, output } = await run('no-such-program', [])
  t.equal(status, null)
  t.match(output, /ENOENT/)
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
