// A NATS server and workers of this machine, as children of the home part: they are started again when they die, and they
// end when the home part does.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { credentialNames } from '../over/credentials.ts'
import { CodedError } from '../shared/errors.ts'
import { makeFolder } from '../shared/files.ts'
import { inside } from '../shared/inside.ts'
import type { Seat } from './gpus.ts'
import type { World } from './verb.ts'

export interface Workers {
  readonly address: string
  /** Holds the token of the server. */
  readonly environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

interface WorkerGroup {
  /** A worker of each part for each of these; one without a GPU takes the usual one. */
  readonly seats: readonly (Seat | undefined)[]
  readonly parts: readonly string[]
  readonly plugins: readonly string[]
  readonly directory: string
  readonly world: World
  /** No worker of this part is left. */
  lost(part: string): void
}

/** Ends the server when the process that started it has ended, and with it the pipe at descriptor 3. */
const guard = [
  '"$2" -c "$1" & child=$!',
  'trap "kill $child" TERM',
  '(read _ <&3; kill $child) & reader=$!',
  'wait $child; code=$?',
  'while kill -0 $child 2>/dev/null; do wait $child; code=$?; done',
  'kill $reader 2>/dev/null; exit $code',
].join('\n')
const main = fileURLToPath(import.meta.url).replace(/workers\.(js|ts)$/, 'main.$1')
const upSeconds = 20
/** A child that dies sooner, this many times in a row, cannot start; one that ends by itself may have tried for longer. */
const soonMs = { killed: 3000, ended: 60_000 }
const mostDeaths = 5
const mostPayload = 8 * 2 ** 20

/** Starts a server and, for each part, a worker for each seat. Their logs are in the folders `over/` and `workers/` of the run. */
export async function startWorkers({
  seats,
  parts,
  plugins,
  directory,
  world,
  lost,
}: WorkerGroup): Promise<Workers> {
  const folder = join(resolve(directory), 'over')
  makeFolder(folder)
  const port = await freePort()
  // credentials for another server are not for this one
  const none = Object.fromEntries(credentialNames.map(name => [name, '']))
  const environment = { ...none, FLOW_NATS_TOKEN: `t${randomBytes(16).toString('hex')}` }
  const store = join(folder, 'server')
  // an earlier start left it: its messages are of no use
  rmSync(store, { recursive: true, force: true })
  const config = [
    `listen: "127.0.0.1:${port}"`,
    // from the environment of the server
    'authorization { token: $FLOW_NATS_TOKEN }',
    `max_payload: ${mostPayload}`,
    `jetstream { store_dir: "${store}" }`,
    `pid_file: "${join(folder, 'server.pid')}"`,
  ]
  writeFileSync(join(folder, 'server.conf'), `${config.join('\n')}\n`, { mode: 0o600 })
  const children: Child[] = []
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
    rmSync(store, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const program = serverProgram(world)
    const serve = () =>
      spawn('sh', ['-c', guard, 'sh', join(folder, 'server.conf'), program], {
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...environment },
      })
    children.push(keepRunning('nats-server', serve, join(folder, 'server.log'), world))
    await isUp(port)
    const address = `nats://127.0.0.1:${port}`
    for (const part of parts) {
      let left = seats.length
      for (const [i, seat] of seats.entries()) {
        const name = parts.length === 1 ? String(i + 1) : `${part.replaceAll('/', '-')}-${i + 1}`
        const own = inside(join(resolve(directory), 'workers'), name)
        makeFolder(own)
        const words = [
          'work',
          address,
          '--part',
          part,
          '--name',
          name,
          '--out',
          own,
          ...plugins.flatMap(one => ['--plugin', one]),
        ]
        const start = () =>
          spawn(process.execPath, [...process.execArgv, main, ...words], {
            stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
            env: { ...process.env, ...seat?.variables, ...environment, FLOW_SEAT: seat?.gpu ?? '' },
          })
        const title = seat ? `worker ${name} on ${seat.gpu}` : `worker ${name}`
        const over = () => {
          left--
          if (left === 0) lost(part)
        }
        children.push(keepRunning(title, start, join(own, 'output.txt'), world, over))
      }
    }
    return { address, environment, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The program of the server: NATS_SERVER names it where it is not on the PATH. */
function serverProgram({ environment }: World): string {
  const program = environment.NATS_SERVER || 'nats-server'
  if (spawnSync(program, ['--version']).status === 0) return program
  throw new CodedError('no-server', `${program}: must be installed for --workers and --gpus`, {
    remedy:
      'apt-get install nats-server on Debian, or name the binary of a release of NATS by the variable NATS_SERVER',
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  // a server on an address has one
  const { port } = server.address() as AddressInfo
  await new Promise(done => server.close(done))
  return port
}

async function isUp(port: number): Promise<void> {
  const until = performance.now() + upSeconds * 1000
  while (performance.now() < until) {
    const answers = await new Promise<boolean>(done => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        done(true)
      })
      socket.on('error', () => done(false))
    })
    if (answers) return
    await delay(20)
  }
  throw new CodedError('no-server', `nats-server: must answer on port ${port} within ${upSeconds} s`)
}

interface Child {
  stop(): Promise<void>
}

/** Starts a process, and starts it again whenever it ends before it is stopped. */
function keepRunning(
  name: string,
  start: () => ChildProcess,
  log: string,
  { complain }: World,
  over = () => {},
): Child {
  let isStopped = false
  let child: ChildProcess
  let deaths = 0
  let ended = Promise.resolve()
  const output = createWriteStream(log, { flags: 'a' })
  const run = () => {
    const begun = performance.now()
    child = start()
    child.stdout?.pipe(output, { end: false })
    child.stderr?.pipe(output, { end: false })
    const one = child
    ended = new Promise(done => {
      one.on('error', error => complain(`${name}: ${error.message}`))
      one.on('close', (code, signal) => {
        done()
        if (isStopped || code === 0) return
        const soon = signal === null ? soonMs.ended : soonMs.killed
        deaths = performance.now() - begun < soon ? deaths + 1 : 0
        if (deaths >= mostDeaths) {
          complain(`${name}: ends as soon as it starts; ${log} says why`)
          over()
        } else {
          complain(
            `${name}: ended (${signal ?? `exit code ${code}`}): its work goes to the others, and it is started again`,
          )
          run()
        }
      })
    })
  }
  run()
  return {
    stop: async () => {
      isStopped = true
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(late)
      output.end()
    },
  }
}
