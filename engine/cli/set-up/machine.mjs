// What set-up may see and do of the machine; tests hand in another one.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** One line on what failed, then the tail of the failing command's output. */
export class SetUpError extends Error {
  code = 'set-up'
}

export function openMachine(root, env = process.env) {
  return {
    /** The package's folder. */
    root,
    env,
    /** Variables that later commands need besides `env`. */
    environment: {},
    platform: process.platform,
    architecture: process.arch,
    isRoot: process.getuid?.() === 0,
    release: readRelease(),
    exists: existsSync,
    say: line => console.log(`set-up: ${line}`),
    write,
    run,
  }
}

/** Whether system packages are refused. Another value than 1 would be as good as none: it is told before anything is installed. */
export function refusesSystem({ env }) {
  const stated = env.FLOW_NO_SYSTEM_INSTALL ?? ''
  if (stated === '' || stated === '1') return stated === '1'
  const rule = `FLOW_NO_SYSTEM_INSTALL: must be 1 or not set, found "${stated}"`
  throw new SetUpError(`${rule}\n    fix:  set FLOW_NO_SYSTEM_INSTALL=1, or unset it`)
}

/** True when this run may install system packages through apt. */
export const mayInstall = machine => !refusesSystem(machine) && machine.isRoot && machine.release.apt

/** Why it may not, for people. */
export function refusal(machine) {
  if (refusesSystem(machine)) return 'FLOW_NO_SYSTEM_INSTALL=1 refuses system packages'
  if (!machine.release.apt) return 'this system has no apt-get'
  return 'installing system packages needs root'
}

/** Installs Debian packages, refreshing the lists first. */
export async function aptInstall(machine, packages, from) {
  const options = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const update = await machine.run('apt-get', [...options, 'update'], { env, deadlineSeconds: 300 })
  // A broken foreign source makes update fail although Debian's own lists are fresh: the install decides.
  const target = from ? ['-t', from] : []
  const install = [...options, 'install', '-y', '--no-install-recommends', ...target, ...packages]
  const result = await machine.run('apt-get', install, { env, deadlineSeconds: 900 })
  if (result.status !== 0)
    throw failure(`apt-get could not install ${packages.join(' ')}`, {
      output: `${update.status === 0 ? '' : update.output}${result.output}`,
    })
}

export function failure(message, { output }) {
  const tail = output.trimEnd().split('\n').slice(-15)
  return new SetUpError([message, ...tail.map(line => `    ${line}`)].join('\n'))
}

/** Runs a command to its end or deadline; never throws. `status` is null when it did not start or was stopped. */
function run(command, args, { env = {}, cwd, deadlineSeconds = 60 } = {}) {
  return new Promise(done => {
    // A group of its own, so that a deadline also ends what the command started.
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    })
    let output = ''
    const keep = chunk => {
      output = (output + chunk).slice(-64_000)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    const signal = name => {
      try {
        process.kill(process.platform === 'win32' ? child.pid : -child.pid, name)
      } catch {
        // It ended by itself in this moment.
      }
    }
    // apt leaves a broken state when it is killed without a warning.
    const stop = () => {
      signal('SIGTERM')
      setTimeout(signal, 10_000, 'SIGKILL').unref()
    }
    let interrupted = false
    const interrupt = () => {
      interrupted = true
      stop()
    }
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
    const deadline = setTimeout(() => {
      output += `\nstopped: not finished after ${deadlineSeconds} s\n`
      stop()
    }, deadlineSeconds * 1000)
    const end = status => {
      clearTimeout(deadline)
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      if (interrupted) process.exit(130)
      done({ status, output })
    }
    child.on('error', error => {
      output += error.message
      end(null)
    })
    child.on('close', end)
  })
}

/** Writes a file whole or not at all. */
async function write(path, text) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.part`, text)
  await rename(`${path}.part`, path)
}

function readRelease() {
  const apt = existsSync('/usr/bin/apt-get')
  if (!existsSync('/etc/os-release')) return { apt, id: '', codename: '' }
  return { apt, ...parseRelease(readFileSync('/etc/os-release', 'utf8')) }
}

/** The distribution and its version's code name out of /etc/os-release. */
export function parseRelease(text) {
  const field = name => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? ''
  return { id: field('ID'), codename: field('VERSION_CODENAME') }
}
