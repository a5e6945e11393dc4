#!/usr/bin/env node
import { command } from './command.ts'
import { program } from './program.ts'

await program(world => command(process.argv.slice(2), world))
