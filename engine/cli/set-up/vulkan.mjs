// A Vulkan driver that Dawn accepts: the machine's own, else Mesa's software driver, else SwiftShader.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aptInstall, failure, mayInstall, refusal, refusesSystem } from './machine.mjs'
import { downloadSwiftshader, swiftshader } from './swiftshader.mjs'

const backports = 'bookworm-backports'
const sourcesFile = '/etc/apt/sources.list.d/flow-bookworm-backports.list'
const sourcesLine = `deb http://deb.debian.org/debian ${backports} main`
const drivers = ['mesa-vulkan-drivers', 'libvulkan1']

export async function vulkan(machine) {
  // macOS and Windows bring Metal and Direct3D.
  if (machine.platform !== 'linux') return
  // Without packages there is nothing to ask with; that step has reported it.
  if (!machine.exists(join(machine.root, 'node_modules/webgpu'))) return
  const before = await askForAdapter(machine)
  if (before.status === 0) return
  const wanted = machine.env.FLOW_ADAPTER
  if (wanted) throw failure(`FLOW_ADAPTER: no adapter whose name contains "${wanted}"`, before)
  if (await takeSwiftshader(machine)) return
  if (!mayInstall(machine) && !refusesSystem(machine) && machine.architecture === 'x64') {
    machine.say(
      `${refusal(machine)}: downloading SwiftShader, a slow software Vulkan driver, from npm (70 MB)`,
    )
    await downloadSwiftshader(machine)
    if (await takeSwiftshader(machine)) return
  }
  if (!mayInstall(machine))
    return { what: 'a Vulkan driver that Dawn accepts', why: refusal(machine), commands: advice(machine) }
  if (isBookworm(machine)) {
    machine.say(`installing Mesa's Vulkan drivers from ${backports} (Debian 12's own are too old for Dawn)`)
    if (!(await offersBackports(machine))) await machine.write(sourcesFile, `${sourcesLine}\n`)
    await aptInstall(machine, drivers, backports)
  } else {
    machine.say(`installing Vulkan drivers (apt-get install ${drivers.join(' ')})`)
    await aptInstall(machine, drivers)
  }
  const after = await askForAdapter(machine)
  if (after.status !== 0) throw failure('Vulkan drivers were installed, but Dawn finds no adapter', after)
}

const isBookworm = ({ release }) => release.id === 'debian' && release.codename === 'bookworm'

function advice(machine) {
  const install = `apt-get install -y ${drivers.join(' ')}`
  if (isBookworm(machine))
    return [
      `echo '${sourcesLine}' > ${sourcesFile}`,
      'apt-get update',
      install.replace('-y', `-y -t ${backports}`),
    ]
  if (machine.release.apt) return ['apt-get update', install]
  return [
    'install Mesa’s Vulkan drivers, 24 or newer, and the Vulkan loader with your system’s package manager',
  ]
}

async function offersBackports(machine) {
  const { output } = await machine.run('apt-cache', ['policy'], { deadlineSeconds: 30 })
  return output.includes(`n=${backports}`)
}

/** Lets the command that follows use SwiftShader when it is there and works. */
async function takeSwiftshader(machine) {
  const environment = swiftshader(machine)
  if (!environment || (await askForAdapter(machine, environment)).status !== 0) return false
  Object.assign(machine.environment, environment)
  return true
}

/** The line that says which adapter is used. */
export async function adapterFound(machine) {
  const { output } = await askForAdapter(machine, machine.environment)
  return /^adapter: .*$/m.exec(output)?.[0] ?? 'adapter: none'
}

function askForAdapter(machine, env = {}) {
  // Another process: a broken driver may take it down.
  const script = fileURLToPath(new URL('adapter.mjs', import.meta.url))
  return machine.run(process.execPath, [script], { cwd: machine.root, env, deadlineSeconds: 60 })
}
