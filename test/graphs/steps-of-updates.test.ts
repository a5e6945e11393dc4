// `--set steps=N` gives N updates for any groupsPerUpdate: the data's reader takes as many questions, and no batch waits for ever.
import { join } from 'node:path'
import t from 'tap'
import { registry } from '../../engine/cli/registry.ts'
import { loadGraph } from '../../engine/graph/check.ts'
import { graphsFolder, readGraph, runnable, settingsFor } from './graph-files.ts'

const updating = runnable.filter(name => {
  const { params = {} } = readGraph(name)
  return params.steps !== undefined && params.groupsPerUpdate !== undefined
})

t.test('each graph with groupsPerUpdate takes the questions of its updates', t => {
  t.ok(updating.length > 10, String(updating))
  for (const name of updating)
    for (const each of [1, 2, 5]) {
      const set = [...settingsFor(readGraph(name)), 'steps=3', `groupsPerUpdate=${each}`]
      const { nodes } = loadGraph(join(graphsFolder, name), registry, { set })
      const update = nodes.find(node => node.name === 'update')
      t.equal(update?.config.groupsPerUpdate, each, `${name}: an update has so many`)
      const samples = nodes.find(node => node.name === 'samples')
      const repeated = nodes.find(node => node.operatorName === 'stream.replay')
      const limit = repeated ? repeated.config.epochs : samples?.config.limit
      t.ok(limit === 3 * each || limit === 0, `${name}: ${limit} questions`)
    }
  t.end()
})
