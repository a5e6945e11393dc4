// nats-server, through which a graph runs over many processes: the tests need it, and so do users of --workers.
import { aptInstall, mayInstall, refusal } from './machine.mjs'

/** Installs Debian's where it may; without one the tests of many processes fail and say so. */
export async function natsServer(machine) {
  if ((await machine.run('nats-server', ['--version'], { deadlineSeconds: 20 })).status === 0) return
  if (mayInstall(machine)) {
    machine.say('installing nats-server for the tests of many processes (apt-get install nats-server)')
    await aptInstall(machine, ['nats-server'])
  } else machine.say(`no nats-server, and ${refusal(machine)}: tests of many processes will fail`)
}
