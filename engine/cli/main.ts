#!/usr/bin/env node
import { command } from './command.ts'
import { makeEmbedded } from './embedded.ts'
import { registry } from './registry.ts'

// a reader such as `head` may leave early: that is no fault of ours
process.stdout.on('error', error => {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
})
const complain = (line: string) => process.stderr.write(`${line}\n`)
const code = await command(process.argv.slice(2), {
  registry,
  environment: process.env,
  screen: process.stdout,
  print: line => process.stdout.write(`${line}\n`),
  complain,
  prepare: plan => makeEmbedded(plan, registry, complain),
})
// the threads of an open GPU device keep Node alive: leave as soon as all is written
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
