#!/usr/bin/env node
// The command `flow` of the package.
import { fileURLToPath } from 'node:url'
import { follow } from './follow.mjs'

const main = fileURLToPath(new URL('../../../dist/engine/cli/main.js', import.meta.url))
process.exitCode = await follow([...process.execArgv, main, ...process.argv.slice(2)])
