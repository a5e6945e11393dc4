// npm packages: those of the lock file, when node_modules does not hold them yet.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { failure } from './machine.mjs'

/**
 * Installs without install scripts: the only one that matters downloads ffmpeg, which may take minutes or hang where
 * its server cannot be reached; the ffmpeg step decides about that.
 */
export async function packages(machine) {
  if (isInstalled(machine.root, machine.exists)) return
  machine.say('installing npm packages (npm ci)')
  // Compiling needs the development packages, whatever NODE_ENV says.
  const install = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund']
  const npm = machine.env.npm_execpath
  const options = { cwd: machine.root, deadlineSeconds: 900 }
  const result = await (npm?.endsWith('npm-cli.js')
    ? machine.run(process.execPath, [npm, ...install], options)
    : machine.run('npm', install, options))
  if (result.status !== 0) throw failure('npm ci failed', result)
}

/** True when node_modules holds every package of the lock file, in its version, optional ones aside. */
function isInstalled(root, exists) {
  const installed = join(root, 'node_modules/.package-lock.json')
  if (!exists(installed)) return false
  const read = path => JSON.parse(readFileSync(path, 'utf8')).packages
  return satisfies(read(join(root, 'package-lock.json')), read(installed))
}

export function satisfies(wanted, installed) {
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  )
}
