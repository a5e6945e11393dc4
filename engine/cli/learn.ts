import { loadGraph } from '../graph/check.ts'
import { pluginsOf, withPlugins } from '../graph/plugins.ts'
import { Learner } from '../learners/learner.ts'
import type { FromLearner, ToLearner } from '../learners/messages.ts'
import { storedFault } from '../learners/stored-fault.ts'
import { startRun } from '../run/run.ts'
import { messageOf } from '../shared/errors.ts'
import { makeFolder } from '../shared/files.ts'
import { learnerFiles } from './learners.ts'
import { withoutReplaced } from './moved-plugins.ts'
import { formsOf } from './over-run.ts'
import type { World } from './verb.ts'

const aliveMs = 1000

/** Works as one of the learners of the run whose process started this one; returns the exit code. */
export async function learn(world: World): Promise<number> {
  const tell = (message: FromLearner) => {
    if (process.connected) process.send?.(message, () => {})
  }
  // it ends with the run, and a terminal that interrupts the run interrupts the run alone
  process.on('disconnect', () => process.exit(1))
  process.on('SIGINT', () => {})
  const alive = setInterval(() => tell({ type: 'alive' }), aliveMs)
  const early: ToLearner[] = []
  let hear = (message: ToLearner): void => void early.push(message)
  const begun = new Promise<Extract<ToLearner, { type: 'begin' }>>(done => {
    // the process of the run, which is of the same version, sends nothing else
    process.on('message', message => {
      const told = message as ToLearner
      if (told.type === 'begin') done(told)
      else hear(told)
    })
  })
  try {
    const beginning = await begun
    const { graph, sources, set, plugins, folder, seed } = beginning
    const read = (file: string) => {
      const text = Object.hasOwn(sources, file) ? sources[file] : undefined
      if (text === undefined) throw new Error(`${file}: the run does not announce it`)
      return text
    }
    const stated = plugins.map(one => ({ ...one, problem: { path: `--plugin ${one.name}` } }))
    const ofGraph = withoutReplaced(pluginsOf(graph, read), stated)
    const registry = await withPlugins(world.registry, [...stated, ...ofGraph])
    const plan = loadGraph(graph, registry, { set, environment: world.environment, read })
    await world.prepare(plan)
    makeFolder(folder)
    const learner = new Learner({ ...learnerFiles, plan, forms: formsOf(registry), beginning, tell })
    hear = message => learner.hear(message)
    for (const message of early.splice(0)) learner.hear(message)
    const { error } = await startRun(learner.plan, { seed, directory: folder, link: learner }).done
    if (error) throw error
    return 0
  } catch (error) {
    tell({ type: 'failed', fault: storedFault(error) })
    world.complain(messageOf(error))
    return 1
  } finally {
    clearInterval(alive)
  }
}
