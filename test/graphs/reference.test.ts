// The reference of GRPO costs memory and a pass: with beta 0 nothing compares the policy with it, so it is not opened.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../engine/graph/check.ts'
import { operators, resources } from '../../operators/index.ts'
import { runGraph } from './flow-words.ts'
import { graphsFolder, readGraph, runnable, settingsFor } from './graph-files.ts'

t.setTimeout(800_000)
const registry = { operators, resources }

t.test('every graph that compares with a reference leaves it out of its plan when beta is 0', async t => {
  const planned = (name: string, beta: number) => {
    const set = [...settingsFor(readGraph(name)), `nodes.update.config.beta=${beta}`]
    return loadGraph(join(graphsFolder, name), registry, { set }).resources.map(one => one.name)
  }
  const comparing = runnable.filter(name => {
    const { nodes, resources = {} } = readGraph(name)
    return nodes.update?.operator === 'grpo.update' && 'reference' in resources
  })
  t.ok(comparing.includes('grpo.json') && comparing.length > 10, comparing.join(' '))
  for (const name of comparing) {
    t.ok(planned(name, 0.04).includes('reference'), `${name} with beta 0.04`)
    t.notOk(planned(name, 0).includes('reference'), `${name} with beta 0`)
  }
})

t.test('a run with beta 0 opens the policy alone, and holds less memory', async t => {
  const folder = t.testdir({})
  const train = async (beta: number) => {
    const directory = join(folder, String(beta))
    const small = { steps: 1, group: 2, frames: 2, maxNewTokens: 6, 'nodes.update.config.beta': beta }
    const { code, text } = await runGraph('grpo.json', directory, small)
    t.equal(code, 0, text)
    const read = (name: string) => readFileSync(join(directory, name), 'utf8')
    const { gauges } = JSON.parse(read('status.json')) as { gauges: Record<string, number> }
    return {
      opened: [...read('log.jsonl').matchAll(/"(\w+): opened/g)].map(([, name]) => name),
      peak: gauges['gpu peak bytes'] ?? Number.NaN,
    }
  }
  const compared = await train(0.04)
  const alone = await train(0)
  t.same(
    compared.opened.filter(name => !alone.opened.includes(name)),
    ['reference'],
  )
  t.ok(alone.opened.includes('policy'))
  t.ok(alone.peak < compared.peak, `${alone.peak} < ${compared.peak} bytes`)
})
