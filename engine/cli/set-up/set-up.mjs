// Makes a fresh machine ready, then runs the command it is given: node engine/cli/set-up/set-up.mjs SCRIPT [ARGUMENT…]
// Plain JavaScript without dependencies: it runs before anything is installed or compiled.
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'
import { chromium } from './chromium.mjs'
import { ffmpeg } from './ffmpeg.mjs'
import { follow } from './follow.mjs'
import { mayInstall, openMachine, refusesSystem, SetUpError } from './machine.mjs'
import { natsServer } from './nats-server.mjs'
import { packages } from './packages.mjs'
import { vulkan } from './vulkan.mjs'

/**
 * Installs, then compiles. What a step lacks and may not install is reported for all steps at once, with the commands
 * that install it.
 */
export async function setUp(machine, steps) {
  checkNode(process.versions.node)
  refusesSystem(machine)
  const missing = []
  for (const step of steps.install) {
    const lacking = await step(machine)
    if (lacking) missing.push(lacking)
  }
  if (missing.length > 0) throw new SetUpError(instructions(missing))
  await steps.build(machine)
}

/**
 * npm's packages and Debian's ffmpeg: neither needs the other, so a fresh machine fetches both at once. Where node_modules
 * is there, it may hold an ffmpeg, so it is looked at first.
 */
export async function packagesAndFfmpeg(machine) {
  const isFresh = mayInstall(machine) && !machine.exists(join(machine.root, 'node_modules'))
  const installed = packages(machine)
  if (!isFresh) await installed
  const [lacking] = await Promise.all([ffmpeg(machine), installed])
  return lacking
}

export function checkNode(version) {
  if (Number.parseInt(version, 10) < 20)
    throw new SetUpError(`Node ${version} is too old: flow needs Node 20 or newer`)
}

/** What to tell somebody who refused system packages, or may not install them. */
export function instructions(missing) {
  const lines = missing.map(({ what, why, commands }) =>
    [`missing: ${what} (${why}). Install it:`, ...commands.map(command => `    ${command}`)].join('\n'),
  )
  return lines.join('\n')
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const machine = openMachine(fileURLToPath(new URL('../../../', import.meta.url)))
  try {
    const isTest = process.argv[2]?.endsWith('test/run.js')
    const quickly = machine => build(machine, { quick: true })
    await setUp(machine, { install: [packagesAndFfmpeg, vulkan], build: isTest ? build : quickly })
    // the tests alone open pages, and run graphs over many processes
    if (isTest) {
      await chromium(machine)
      await natsServer(machine)
    }
    // `npm start` says it beside the time of the training
    const FLOW_SET_UP_SECONDS = String(Math.round(process.uptime()))
    process.exitCode = await follow(process.argv.slice(2), { ...machine.environment, FLOW_SET_UP_SECONDS })
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    console.error(`set-up: ${error.message}`)
    process.exitCode = 1
  }
}
