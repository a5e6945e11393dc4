import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../engine/run/random-graph.ts'
import type { Stage } from './stage.ts'

interface MachineFault {
  readonly name: string
  /** Strikes, and mends what a person would mend. */
  strike(stage: Stage, random: Random): Promise<void>
}

/** Seconds that a fault lasts: shorter and longer than a lease. */
const lasts = (stage: Stage, random: Random): Promise<void> =>
  delay(200 + random() * stage.leaseSeconds * 2500)

/** Stops a process for a while. */
const frozen = (
  who: string,
  processOf: (stage: Stage, random: Random) => ChildProcess | undefined,
): MachineFault => ({
  name: `${who} is frozen`,
  strike: async (stage, random) => {
    const process = processOf(stage, random)
    process?.kill('SIGSTOP')
    await lasts(stage, random)
    process?.kill('SIGCONT')
  },
})

const cut = (whose: string, cable: 'homeCable' | 'workersCable'): MachineFault => ({
  name: `the network of ${whose} is cut`,
  strike: async (stage, random) => {
    stage[cable].cut(random() < 0.5 ? 'closed' : 'silent')
    await lasts(stage, random)
    stage[cable].mend()
  },
})

const serverKilled = (then: string, disk: 'as it was' | 'empty'): MachineFault => ({
  name: `the server is killed and ${then}`,
  strike: async (stage, random) => {
    stage.server.kill('SIGKILL')
    await lasts(stage, random)
    await stage.startServer(disk)
  },
})

export const machineFaults: readonly MachineFault[] = [
  {
    name: 'a worker is killed, and another one starts',
    strike: async (stage, random) => {
      stage.someWorker(random)?.kill('SIGKILL')
      await delay(random() * 1000)
      stage.addWorker()
    },
  },
  frozen('a worker', (stage, random) => stage.someWorker(random)),
  serverKilled('starts again', 'as it was'),
  serverKilled('its disk is lost', 'empty'),
  frozen('the server', stage => stage.server),
  cut('the workers', 'workersCable'),
  cut('the home part', 'homeCable'),
  {
    name: 'the home part is killed and resumed',
    strike: async (stage, random) => {
      stage.home.kill('SIGKILL')
      await delay(random() * 1000)
      stage.resumeHome()
    },
  },
  frozen('the home part', stage => stage.home),
]
