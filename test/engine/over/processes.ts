// Runs `flow` in processes of its own, as a user does, for tests of graphs over many processes.
import { spawn, spawnSync } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { repository } from '../../fixtures.ts'

const main = fileURLToPath(
  new URL(`../../../engine/cli/main${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)

/** The set-up installs nats-server for the tests; without it they must fail and say why. */
export function needServer(t: Test): void {
  const { status } = spawnSync('nats-server', ['--version'])
  t.equal(
    status,
    0,
    'nats-server must be installed: apt-get install nats-server (npm test does it as root on Debian)',
  )
}

export interface Ended {
  code: number | null
  /** All that it printed. */
  text: string
}

/** Runs `flow` to its end; interrupts it once, as soon as something is true. */
export async function flow(words: readonly string[], isTime?: () => boolean): Promise<Ended> {
  const child = spawn(process.execPath, [...process.execArgv, main, ...words], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (some: string) => {
      text += some
    })
  const looks = setInterval(() => {
    if (!isTime?.()) return
    clearInterval(looks)
    child.kill('SIGINT')
  }, 20)
  const code = await new Promise<number | null>(done => child.once('close', done))
  clearInterval(looks)
  return { code, text }
}

/** `flow run` of a graph with settings; throws what it printed when it fails. */
export async function flowRun(
  graph: string,
  { out, set = [], more = [] }: { out: string; set?: readonly string[]; more?: readonly string[] },
): Promise<Ended> {
  const words = ['run', graph, '--out', out, ...set.flatMap(one => ['--set', one]), ...more]
  const ended = await flow(words)
  if (ended.code !== 0) throw new Error(`flow ${words.join(' ')}: exit code ${ended.code}\n${ended.text}`)
  return ended
}
