import { pathFrom } from '../graph/file/extends.ts'
import { GraphError } from '../graph/problem.ts'
import { report } from '../graph/problem-report.ts'
import { codeOf, messageOf, remedyIn } from '../shared/errors.ts'
import { packageVersion } from '../shared/package-name.ts'
import { withShippedNames } from '../shared/shipped-names.ts'
import { type Arguments, hint, readArguments, UsageError } from './arguments.ts'
import { graphIn, paramNames } from './graph-params.ts'
import { plug } from './plug.ts'
import type { Verb, World } from './verb.ts'
import { adapters } from './verbs/adapters.ts'
import { check } from './verbs/check.ts'
import { compare } from './verbs/compare.ts'
import { diff } from './verbs/diff.ts'
import { explain } from './verbs/explain.ts'
import { exportVerb } from './verbs/export.ts'
import { graph } from './verbs/graph.ts'
import { helpOn, makeHelp } from './verbs/help.ts'
import { ls } from './verbs/ls.ts'
import { merge } from './verbs/merge.ts'
import { make } from './verbs/new.ts'
import { ops } from './verbs/ops.ts'
import { replay } from './verbs/replay.ts'
import { run } from './verbs/run.ts'
import { schema } from './verbs/schema.ts'
import { setUp } from './verbs/set-up.ts'
import { show } from './verbs/show.ts'
import { simulate } from './verbs/simulate.ts'
import { table } from './verbs/table.ts'
import { tap } from './verbs/tap.ts'
import { top } from './verbs/top.ts'
import { view } from './verbs/view.ts'
import { work } from './verbs/work.ts'

const others: Readonly<Record<string, Verb>> = {
  run,
  check,
  explain,
  ops,
  graph,
  merge,
  compare,
  table,
  export: exportVerb,
  replay,
  diff,
  new: make,
  ls,
  show,
  top,
  tap,
  adapters,
  simulate,
  schema,
  'set-up': setUp,
  view,
  work,
}
/** Every verb of the command line. */
export const verbs: Readonly<Record<string, Verb>> = { ...others, help: makeHelp(others) }

/** The verbs that take a flag. */
const ownersOf = (flag: string): string[] =>
  Object.entries(verbs).flatMap(([name, { flags }]) => (Object.hasOwn(flags, flag) ? [name] : []))

/** The params of the graph that a command names. */
const paramsOf = (words: readonly string[]): string[] => paramNames(graphIn(words))

/** `flow:NAME` names a graph of the package, in every verb that takes a graph. */
const withShippedGraphs = (read: Arguments, { loads }: Verb): Arguments =>
  loads === 'graphs'
    ? {
        ...read,
        positional: read.positional.map(word => (word.startsWith('flow:') ? pathFrom('.', word) : word)),
      }
    : read

/** `--gpu` chooses the adapter as FLOW_ADAPTER does, for this process and those that it starts. */
function withGpu(environment: World['environment'], { last }: Arguments): World['environment'] {
  const gpu = last('gpu')
  if (gpu === undefined) return environment
  if (gpu === '')
    throw new UsageError('--gpu: must be a number or PCI id in "flow adapters", or part of a name')
  process.env.FLOW_ADAPTER = gpu
  return { ...environment, FLOW_ADAPTER: gpu }
}

/** A complaint about the words as a whole is told of the verb. */
const placed = (message: string, name: string): string =>
  message.startsWith('must ') ? `flow ${name}: ${message}` : message

/** What other programs call it, or people guess. */
const otherVerbs: Readonly<Record<string, string>> = {
  train: 'run GRAPH, e.g. flow run flow:grpo.json',
  grpo: 'run flow:grpo.json',
  sft: 'run flow:coldstart.json',
  eval: 'run flow:eval/own.json; flow:eval/mvbench.json and others are for benchmarks',
  evaluate: 'run flow:eval/own.json; flow:eval/mvbench.json and others are for benchmarks',
  infer: 'run flow:infer.json',
  generate: 'run flow:infer.json',
  ask: 'run flow:infer.json',
  resume: 'run --resume RUN',
  validate: 'check GRAPH',
  lint: 'check GRAPH',
  init: 'new operator NAME, or another of the kinds that "flow help new" lists',
  ui: 'view',
}

/** What to do about a wrong command: to write the nearest name, if the message has one. */
function adviceOn(message: string, name: string): string {
  const near = /\(nearest "([^"]+)"\)/.exec(message)?.[1]
  const meant = Object.hasOwn(otherVerbs, name) ? otherVerbs[name] : undefined
  if (meant !== undefined) return `write flow ${meant}`
  if (near !== undefined) return `write ${message.startsWith('--') ? '--' : ''}${near}`
  return Object.hasOwn(verbs, name) ? `"flow help ${name}" says what it takes` : '"flow help" lists the verbs'
}

/** Runs the verb that the words ask for; a wrong command or graph ends with exit code 2, any other fault with 1. */
export async function command([word = 'help', ...words]: readonly string[], given: World): Promise<number> {
  const world = { ...given, complain: (text: string) => given.complain(withShippedNames(text)) }
  if (word === '--version' || word === '-v') {
    world.print(packageVersion())
    return 0
  }
  const folder = process.cwd()
  const name = word === '--help' || word === '-h' ? 'help' : word
  const adapter = process.env.FLOW_ADAPTER
  try {
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!verb) throw new UsageError(`${name}: must be a verb${hint(name, Object.keys(verbs))}`)
    if (words.includes('--help') || words.includes('-h')) {
      for (const text of helpOn(name, verb, words)) world.print(text)
      return 0
    }
    const read = withShippedGraphs(readArguments(name, words, verb.flags, { ownersOf, paramsOf }), verb)
    const environment = withGpu(world.environment, read)
    const registry = await plug(world.registry, read, verb.loads)
    return await verb.run(read, { ...world, registry, environment })
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    if (error instanceof GraphError) world.complain(report(error.problems, []))
    else if (error instanceof UsageError) {
      world.complain(placed(error.message, name))
      world.complain(`    fix:  ${error.advice ?? adviceOn(error.message, name)}`)
    } else {
      world.complain(messageOf(error))
      const remedy = remedyIn(error)
      if (remedy !== undefined) world.complain(`    fix:  ${remedy}`)
    }
    return error instanceof GraphError || error instanceof UsageError ? 2 : 1
  } finally {
    // a verb that goes on with a run works in the folder of that run
    if (process.cwd() !== folder) process.chdir(folder)
    if (adapter === undefined) delete process.env.FLOW_ADAPTER
    else process.env.FLOW_ADAPTER = adapter
  }
}
