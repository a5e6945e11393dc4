import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { profileOf } from '../../../engine/cli/simulation/profile.ts'
import { simulate } from '../../../engine/cli/simulation/workers.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { operators, resources } from '../../../operators/index.ts'
import { seen } from './hosts.ts'
import type { HostJob } from './jobs.ts'

const wait = operator({
  summary: 'Waits.',
  config: { milliseconds: { type: 'integer', default: 0, description: 'Time.' } },
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  run: ({ items }, _, context) => ({ items: items.pipe(context.each(value => value)) }),
})

/** The same for processes. */
const plugin = `
export const api = 1
export const operators = { 'my.wait': {
  summary: 'Waits.', inputs: { items: 'any' }, outputs: { items: 'any' },
  config: { milliseconds: { type: 'integer', default: 0, description: 'Time.' } },
  run: ({ items }, { milliseconds }, context) => ({
    items: items.pipe(context.each(async value => {
      await new Promise(done => setTimeout(done, milliseconds))
      return value
    })),
  }),
} }`

const rows = 80

/**
 * Runs a graph whose nodes wait, so that processes do not share cores, in one process, and with 1, 2, 3 workers; compares items a
 * second with what the simulation says from the times of the first run.
 */
export async function* simulateCheck(): AsyncGenerator<string> {
  const folder = mkdtempSync(join(tmpdir(), 'flow-simulate-'))
  const at = (name: string) => join(folder, name)
  writeFileSync(at('plugin.mjs'), plugin)
  writeFileSync(at('rows.jsonl'), '{"a":1}\n'.repeat(rows))
  const waiting = (milliseconds: number, from: string) => ({
    operator: 'my.wait',
    config: { milliseconds },
    from: { items: `${from}.items` },
  })
  const graph = (place: string, plugins: readonly string[]) => ({
    version: 1,
    summary: 'Waits.',
    plugins,
    parts: { slow: { nodes: ['read', 'work'] } },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: at('rows.jsonl') } },
      read: waiting(60, 'rows'),
      work: waiting(300, 'read'),
      last: waiting(120, 'work'),
      file: {
        operator: 'write.jsonl',
        config: { path: join(place, 'out.jsonl') },
        from: { items: 'last.items' },
      },
    },
  })
  const job: HostJob = {
    name: 'waiting',
    others: 'apart',
    words: place => {
      mkdirSync(place, { recursive: true })
      writeFileSync(join(place, 'graph.json'), JSON.stringify(graph(place, [at('plugin.mjs')])))
      return ['run', join(place, 'graph.json'), '--out', join(place, 'run')]
    },
    done: place => {
      const path = join(place, 'out.jsonl')
      return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
    },
    outcome: () => '',
  }
  await seen(job, at('alone'), [])
  writeFileSync(at('graph.json'), JSON.stringify(graph(folder, [])))
  const plan = loadGraph(at('graph.json'), { operators: { ...operators, 'my.wait': wait }, resources })
  const { times } = profileOf(plan, at('alone/run'))
  for (const workers of [1, 2, 3]) {
    const said = simulate(times, workers).perSecond
    const { rate } = await seen(job, at(String(workers)), ['--workers', String(workers)])
    const error = ((said / rate - 1) * 100).toFixed(0)
    yield `${workers} workers: ${rate.toFixed(2)} items/s, the simulation says ${said.toFixed(2)} (${error} %)`
  }
  rmSync(folder, { recursive: true, force: true })
}
