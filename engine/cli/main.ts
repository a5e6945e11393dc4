#!/usr/bin/env node
import { operators, resources } from '../../operators/index.ts'
import { GraphError } from '../graph/problem.ts'
import { hint, readArguments, UsageError } from './arguments.ts'
import { check } from './check.ts'
import { graph } from './graph.ts'
import { explain, makeHelp } from './help.ts'
import { ops } from './ops.ts'
import { run } from './run.ts'
import type { Verb, World } from './verb.ts'

const others: Readonly<Record<string, Verb>> = { run, check, ops, graph }
const verbs: Readonly<Record<string, Verb>> = { ...others, help: makeHelp(others) }

const world: World = {
  registry: { operators, resources },
  environment: process.env,
  print: line => process.stdout.write(`${line}\n`),
  complain: line => process.stderr.write(`${line}\n`),
}

/** Runs the verb that the words ask for; everything that goes wrong becomes a line and an exit code. */
async function main([word = 'help', ...words]: readonly string[]): Promise<number> {
  const name = word === '--help' || word === '-h' ? 'help' : word
  try {
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!verb) throw new UsageError(`${name}: must be a verb${hint(name, Object.keys(verbs))}`)
    if (words.includes('--help') || words.includes('-h')) {
      world.print(explain(name, verb))
      return 0
    }
    return await verb.run(readArguments(name, words, verb.flags), world)
  } catch (error) {
    if (!(error instanceof GraphError) && !(error instanceof UsageError)) throw error
    world.complain(error.message)
    return 2
  }
}

// a reader such as `head` may leave early: that is no fault of ours
process.stdout.on('error', error => {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
})
const code = await main(process.argv.slice(2))
// the threads of an open GPU device keep Node alive: leave as soon as all is written
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
