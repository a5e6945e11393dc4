// Chromium, in which the tests open the pages of flow: nothing else needs it.
import { aptInstall, mayInstall, refusal } from './machine.mjs'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Installs Debian's where it may; without one the tests of pages fail and say so. */
export async function chromium(machine) {
  const found = machine.env.FLOW_CHROMIUM ?? places.find(path => machine.exists(path))
  if (found !== undefined) return
  if (mayInstall(machine)) {
    machine.say('installing Chromium for the tests of pages (apt-get install chromium)')
    await aptInstall(machine, ['chromium'])
  } else
    machine.say(`no Chromium, and ${refusal(machine)}: tests of pages will fail; FLOW_CHROMIUM names one`)
}
