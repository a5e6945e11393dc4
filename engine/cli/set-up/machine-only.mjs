// What `flow set-up` runs: the steps of set-up that the machine needs, without those that a checkout needs.
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { ffmpeg, ffmpegFound } from './ffmpeg.mjs'
import { openMachine, SetUpError } from './machine.mjs'
import { setUp } from './set-up.mjs'
import { adapterFound, vulkan } from './vulkan.mjs'

try {
  const machine = openMachine(homeOfPackages())
  await setUp(machine, { install: [ffmpeg, vulkan], build: async () => {} })
  for (const found of [adapterFound, ffmpegFound]) machine.say(await found(machine))
  machine.say('this machine is ready')
  for (const [name, value] of Object.entries(machine.environment)) machine.say(`set ${name}=${value}`)
} catch (error) {
  if (!(error instanceof SetUpError)) throw error
  console.error(`set-up: ${error.message}`)
  process.exitCode = 1
}

/** The folder whose node_modules holds what flow needs: a checkout, or the folder that flow was installed in. */
function homeOfPackages() {
  try {
    return dirname(dirname(dirname(createRequire(import.meta.url).resolve('webgpu/package.json'))))
  } catch {
    throw new SetUpError('the packages that flow needs are not installed: run npm install first')
  }
}
