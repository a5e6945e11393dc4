// Runs of a small operator without a GPU that learns with several processes, to be killed, frozen and continued.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(
  new URL(`../../../engine/cli/main${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)

const plugin = `
import { readFileSync, writeFileSync } from 'node:fs'
export const api = 1
/** Weights, and a work that changes them by sums over all learners. */
const learner = ({ waitMs }, context) => {
  let weights = Float32Array.of(1, -2, 3, 0.5, 0.25)
  context.checkpoint({
    save: folder => writeFileSync(folder + '/weights.json', JSON.stringify([...weights])),
    restore: folder => { weights = Float32Array.from(JSON.parse(readFileSync(folder + '/weights.json', 'utf8'))) },
  })
  return async (share, team) => {
    const gradient = new Float32Array(weights.length)
    for await (const x of share) {
      if (x === 'bad') throw Object.assign(new Error('found a bad number'), { code: 'bad-number' })
      for (const i of gradient.keys()) gradient[i] += Math.sin(x * (i + 1)) * weights[i]
    }
    await new Promise(done => setTimeout(done, waitMs))
    const sums = await team.sum(gradient)
    weights = weights.map((weight, i) => weight - 0.1 * sums[i])
    const all = await team.gather([...weights])
    if (new Set(all.map(String)).size > 1) throw new Error('weights differ: ' + JSON.stringify(all))
    return { weights: [...weights], learners: team.size }
  }
}
const numbers = { type: 'integer', default: 4, description: 'Numbers of a batch.' }
const waitMs = { type: 'integer', default: 0, description: 'Milliseconds of an update.' }
export const operators = {
  'toy.learn': {
    summary: 'Learns from lists of numbers.',
    config: { numbers, waitMs },
    inputs: { rows: 'any' },
    outputs: { version: { kind: 'any', inPlace: true } },
    effects: true,
    team: { pieces: 'numbers', work: learner },
    run: ({ rows }, config, context) => {
      const work = learner(config, context)
      return {
        version: rows.pipe(context.each(async ({ values }, { key }) => {
          context.record('metrics', { key, ...(await context.together(values, work)) })
          return key
        })),
      }
    },
  },
  'toy.alone': {
    summary: 'Changes something in place, and cannot divide its work.',
    config: {},
    inputs: { rows: 'any' },
    outputs: { version: { kind: 'any', inPlace: true } },
    effects: true,
    run: ({ rows }, _, context) => ({ version: rows.pipe(context.each(() => undefined)) }),
  },
}
`

/** Writes the graph into a folder: 12 batches of 4 numbers, a checkpoint after every 4. */
export function writeToy(folder: string, more: Readonly<Record<string, unknown>> = {}): string {
  writeFileSync(join(folder, 'toy.mjs'), plugin)
  const rows = Array.from({ length: 12 }, (_, i) => ({ values: [1, 2, 3, 4].map(x => i + x / 7) }))
  writeFileSync(join(folder, 'rows.jsonl'), rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  const graph = {
    version: 1,
    summary: 'Learns from numbers.',
    plugins: ['./toy.mjs'],
    checkpoint: { every: 4, keep: 3 },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: join(folder, 'rows.jsonl') } },
      learn: { operator: 'toy.learn', from: { rows: 'rows.items' }, ...more },
    },
  }
  const path = join(folder, 'toy.json')
  writeFileSync(path, JSON.stringify(graph))
  return path
}

/** A run of flow in a process of its own. */
export function startFlow(words: readonly string[], cwd: string, environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [...process.execArgv, main, ...words], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (some: string) => {
      text += some
    })
  const ended = new Promise<{ code: number | null; text: string }>(done =>
    child.once('close', code => done({ code, text })),
  )
  return { child, ended }
}

export async function flow(words: readonly string[], cwd: string, environment?: Record<string, string>) {
  return startFlow(words, cwd, environment).ended
}

/** The processes of the other learners of a run, once they work. */
export async function learnersOf(child: ChildProcess, run: string): Promise<[number, ...number[]]> {
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`the run ended before its first update: ${run}/log.txt says why`)
    // the first update is done: they are there
    const [first, ...more] = metricsOf(run).length > 0 ? childrenOf(child.pid ?? 0) : []
    if (first !== undefined) return [first, ...more]
    await delay(20)
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(text => text !== '' && commandOf(Number(text)).includes('learner-main'))
    .map(Number)
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** Waits until a process has ended. */
export async function isGone(pid: number): Promise<void> {
  while (commandOf(pid) !== '') await delay(20)
}

export function metricsOf(run: string): Record<string, unknown>[] {
  try {
    return readFileSync(join(run, 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter(line => line.endsWith('}'))
      .map(line => JSON.parse(line))
  } catch {
    return []
  }
}

/** The files of the learners' common memory that a process has open. */
export const sharedBy = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .map(file => readlinkSync(`/proc/${pid}/fd/${file}`))
    .filter(path => path.startsWith('/dev/shm/'))
