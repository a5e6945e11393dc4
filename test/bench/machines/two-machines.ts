// node dist/test/bench/machines/two-machines.js: the commands of README.md for two machines, as a new user types them, in two
// network namespaces with host names of their own; neither sees the other's files. Needs root, iproute2, nats-server and npm.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { outcomeOf } from '../../engine/over/outcome.ts'
import { repository } from '../../fixtures.ts'

const folder = mkdtempSync('/dev/shm/flow-two-machines-')
const [a, b] = ['a', 'b'].map(name => ({ name: `flow-${name}`, home: join(folder, name) })) as [
  Machine,
  Machine,
]

interface Machine {
  readonly name: string
  readonly home: string
}

function must(program: string, words: readonly string[], cwd = folder): void {
  const { status, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`)
}

/** Two machines with one cable between them, at 10.99.0.1 and 10.99.0.2. */
function connect(): void {
  for (const { name } of [a, b]) must('ip', ['netns', 'add', name])
  must('ip', ['link', 'add', 'flow-a0', 'type', 'veth', 'peer', 'name', 'flow-b0'])
  for (const [i, { name }] of [a, b].entries()) {
    const end = `${name}0`
    must('ip', ['link', 'set', end, 'netns', name])
    must('ip', ['-n', name, 'addr', 'add', `10.99.0.${i + 1}/24`, 'dev', end])
    for (const device of [end, 'lo']) must('ip', ['-n', name, 'link', 'set', device, 'up'])
  }
}

/** A user of a new machine installs flow. */
function install({ home }: Machine): void {
  mkdirSync(home)
  must('npm', ['init', '-y'], home)
  const [pack = ''] = readdirSync(folder).filter(name => name.endsWith('.tgz'))
  must('npm', ['install', join(folder, pack)], home)
}

/** Types a command at a machine, in its home; the home of the other one is not there. */
function type({ name, home }: Machine, command: string) {
  const other = name === a.name ? b.home : a.home
  const line = `hostname ${name} && mount -t tmpfs none ${other} && cd ${home} && ${command}`
  const child = spawn('ip', ['netns', 'exec', name, 'unshare', '--uts', '--mount', 'sh', '-c', line], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', text => {
      said += text
    })
  const ended = once(child, 'exit').then(([code]) => ({ code, said }))
  return { child, ended }
}

const graph = 'node_modules/@flow-graphs/flow/graphs/grpo.json'
const settings = '--set steps=6 --set group=2 --seed 1'

must('npm', ['pack', '--pack-destination', folder], repository)
for (const machine of [a, b]) install(machine)
connect()
const server = type(a, 'exec nats-server -js -sd nats')
try {
  const run = type(a, `npx flow run ${graph} ${settings} --out runs/two --over nats://127.0.0.1`)
  const work = type(b, 'npx flow work nats://10.99.0.1')
  for (const { ended } of [run, work]) {
    const { code, said } = await ended
    console.log(said.trim().split('\n').at(-1))
    if (code !== 0) throw new Error(said)
  }
  const alone = await type(a, `npx flow run ${graph} ${settings} --out runs/alone`).ended
  if (alone.code !== 0) throw new Error(alone.said)
  const [two, one] = ['two', 'alone'].map(name => outcomeOf(join(a.home, 'runs', name)))
  const isEqual = isDeepStrictEqual(two, one)
  console.log(`weights and metrics of two machines and of one: ${isEqual ? 'equal' : 'different'}`)
  process.exitCode = isEqual ? 0 : 1
} finally {
  server.child.kill()
  for (const { name } of [a, b]) spawnSync('ip', ['netns', 'delete', name])
  rmSync(folder, { recursive: true, force: true })
}
