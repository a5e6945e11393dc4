#!/usr/bin/env node
import { operators, resources } from '../../operators/index.ts'
import { command } from './command.ts'

// a reader such as `head` may leave early: that is no fault of ours
process.stdout.on('error', error => {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
})
const code = await command(process.argv.slice(2), {
  registry: { operators, resources },
  environment: process.env,
  screen: process.stdout,
  print: line => process.stdout.write(`${line}\n`),
  complain: line => process.stderr.write(`${line}\n`),
})
// the threads of an open GPU device keep Node alive: leave as soon as all is written
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
