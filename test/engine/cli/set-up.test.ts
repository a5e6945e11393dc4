import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { repository } from '../../fixtures.ts'

interface Result {
  status: number | null
  output: string
}

interface Missing {
  what: string
  why: string
  commands: string[]
}

interface Machine {
  root: string
  env: Record<string, string>
  environment: Record<string, string>
  platform: string
  isRoot: boolean
  release: { apt: boolean; id: string; codename: string }
  exists(path: string): boolean
  say(line: string): void
  write(path: string, text: string): Promise<void>
  run(command: string, args: string[], options?: { cwd?: string; deadlineSeconds?: number }): Promise<Result>
}

type Step = (machine: Machine) => Promise<Missing | undefined>

// Set-up runs before anything is compiled, so it is JavaScript, and its types are stated here.
const load = (name: string) => import(pathToFileURL(join(repository, 'engine/cli/set-up', name)).href)
const setUp: {
  setUp(machine: Machine, steps: { install: Step[]; build: Step }): Promise<void>
  checkNode(version: string): void
} = await load('set-up.mjs')
const { ffmpeg }: { ffmpeg: Step } = await load('ffmpeg.mjs')
const { vulkan }: { vulkan: Step } = await load('vulkan.mjs')
const {
  packages,
  satisfies,
}: {
  packages: Step
  satisfies(wanted: Record<string, object>, installed: Record<string, object>): boolean
} = await load('packages.mjs')
const build: {
  build: Step
  fingerprint(root: string): string
  removeStale(root: string): void
} = await load('build.mjs')
const {
  openMachine,
  parseRelease,
}: {
  openMachine(root: string): Machine
  parseRelease(text: string): { id: string; codename: string }
} = await load('machine.mjs')

const ok: Result = { status: 0, output: '' }
const failed: Result = { status: 1, output: 'it broke' }
const bookworm = { apt: true, id: 'debian', codename: 'bookworm' }

/** A machine on which `answer` says how each command ends; what it was asked and told is kept. */
function fake(answer: (command: string) => Result, parts: Partial<Machine> = {}) {
  const commands: string[] = []
  const lines: string[] = []
  const written = new Map<string, string>()
  const machine: Machine = {
    root: '/package',
    env: {},
    environment: {},
    platform: 'linux',
    isRoot: true,
    release: bookworm,
    exists: path => path.endsWith('node_modules/webgpu'),
    say: line => lines.push(line),
    write: async (path, text) => {
      written.set(path, text)
    },
    run: async (command, args) => {
      const text = [command.replace(process.execPath, 'node'), ...args].join(' ')
      commands.push(text)
      return answer(text)
    },
    ...parts,
  }
  return {
    machine,
    commands,
    lines,
    written,
    ran: (part: string) => commands.some(text => text.includes(part)),
  }
}

t.test('an ffmpeg that runs is all that is asked for', async t => {
  const { machine, commands } = fake(() => ok)
  t.equal(await ffmpeg(machine), undefined)
  t.same(commands, ['ffmpeg -hide_banner -version'])
})

t.test('FFMPEG_BIN is taken at its word, and a wrong one is an error that names it', async t => {
  const good = fake(() => ok, { env: { FFMPEG_BIN: '/opt/ffmpeg' } })
  t.equal(await ffmpeg(good.machine), undefined)
  t.same(good.commands, ['/opt/ffmpeg -hide_banner -version'])
  const bad = fake(() => failed, { env: { FFMPEG_BIN: '/opt/nothing' } })
  await t.rejects(ffmpeg(bad.machine), /FFMPEG_BIN: \/opt\/nothing does not run\n {4}it broke/)
})

t.test('root on Debian gets ffmpeg through apt', async t => {
  const { machine, ran, lines } = fake(text =>
    text.startsWith('ffmpeg') && !ran('install -y --no-install-recommends ffmpeg') ? failed : ok,
  )
  t.equal(await ffmpeg(machine), undefined)
  t.match(lines, ['installing ffmpeg (apt-get install ffmpeg)'])
})

t.test('without permission ffmpeg-static is downloaded', async t => {
  const folder = join(t.testdir({ node_modules: { 'ffmpeg-static': { 'install.js': '' } } }))
  const { machine, ran } = fake(text => (text.startsWith('ffmpeg') ? failed : ok), {
    root: folder,
    env: { FLOW_NO_SYSTEM_INSTALL: '1' },
    exists: path => path.endsWith('install.js'),
  })
  t.equal(await ffmpeg(machine), undefined)
  t.ok(ran('node install.js'))
  t.notOk(ran('apt-get'))
})

t.test('what cannot be had is named with the command that installs it, and nothing is installed', async t => {
  const { machine, ran } = fake(() => failed, { env: { FLOW_NO_SYSTEM_INSTALL: '1' } })
  t.match(await ffmpeg(machine), {
    what: 'ffmpeg',
    why: /FLOW_NO_SYSTEM_INSTALL/,
    commands: [/apt-get install -y ffmpeg/],
  })
  const driver = await vulkan(machine)
  t.match(
    driver?.commands.join('\n'),
    /bookworm-backports main' > .*\napt-get update\napt-get install -y -t bookworm-backports mesa/,
  )
  t.notOk(ran('apt-get'))
  const user = fake(() => failed, { isRoot: false })
  t.match(await ffmpeg(user.machine), { why: /needs root/ })
})

t.test('Debian 12 gets its Vulkan driver from backports, in a sources file of its own', async t => {
  const { machine, written, ran } = fake(text =>
    text.includes('adapter.mjs') && !ran('install -y') ? failed : ok,
  )
  t.equal(await vulkan(machine), undefined)
  t.ok(ran('-t bookworm-backports mesa-vulkan-drivers libvulkan1'))
  t.match([...written.entries()], [[/flow-bookworm-backports.list$/, /^deb .* bookworm-backports main\n$/]])
})

t.test('backports that are there already are not added again', async t => {
  const { machine, written, ran } = fake(text => {
    if (text.startsWith('apt-cache'))
      return { status: 0, output: 'release o=Debian,n=bookworm-backports,c=main' }
    return text.includes('adapter.mjs') && !ran('install -y') ? failed : ok
  })
  t.equal(await vulkan(machine), undefined)
  t.equal(written.size, 0)
})

t.test('another Debian gets the driver of its own release', async t => {
  const release = { apt: true, id: 'debian', codename: 'trixie' }
  const { machine, ran } = fake(text => (text.includes('adapter.mjs') && !ran('install -y') ? failed : ok), {
    release,
  })
  t.equal(await vulkan(machine), undefined)
  t.notOk(ran('backports'))
})

t.test('a driver that does not help, or is asked for by name, is an error', async t => {
  const useless = fake(text => (text.includes('adapter.mjs') ? failed : ok))
  await t.rejects(vulkan(useless.machine), /Dawn finds no adapter\n {4}it broke/)
  const named = fake(() => failed, { env: { FLOW_ADAPTER: 'nvidia' } })
  await t.rejects(vulkan(named.machine), /FLOW_ADAPTER: no adapter whose name contains "nvidia"/)
  t.notOk(named.ran('apt-get'))
})

t.test('a SwiftShader that is there already is used before anything is installed', async t => {
  const folder = '/package/.cache/flow/swiftshader'
  let asked = 0
  const { machine, ran } = fake(text => (text.includes('adapter.mjs') && asked++ === 0 ? failed : ok), {
    exists: path => path === folder || path.endsWith('node_modules/webgpu'),
  })
  t.equal(await vulkan(machine), undefined)
  t.match(machine.environment, {
    LD_LIBRARY_PATH: folder,
    VK_DRIVER_FILES: `${folder}/vk_swiftshader_icd.json`,
  })
  t.notOk(ran('apt-get'))
})

t.test('an apt that fails says so with the end of its output', async t => {
  const { machine } = fake(text =>
    text.includes('install -y') ? { status: 100, output: 'E: no network' } : failed,
  )
  await t.rejects(ffmpeg(machine), /apt-get could not install ffmpeg\n {4}it broke\s*E: no network/)
})

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

t.test('a command that does not end is stopped, with what it started', async t => {
  const { run } = openMachine(t.testdir())
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const { status, output } = await run(process.execPath, ['-e', script], { deadlineSeconds: 1 })
  t.equal(status, null)
  t.match(output, /stopped: not finished after 1 s/)
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
