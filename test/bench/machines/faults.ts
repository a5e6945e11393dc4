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

export const machineFaults: readonly MachineFault[] = [
  {
    name: 'a worker is killed, and another one starts',
    strike: async (stage, random) => {
      const worker = stage.someWorker(random)
      worker?.kill('SIGKILL')
      await delay(random() * 1000)
      stage.addWorker()
    },
  },
  {
    name: 'a worker is frozen',
    strike: async (stage, random) => {
      const worker = stage.someWorker(random)
      worker?.kill('SIGSTOP')
      await lasts(stage, random)
      worker?.kill('SIGCONT')
    },
  },
  {
    name: 'the server is killed and starts again',
    strike: async (stage, random) => {
      stage.server.kill('SIGKILL')
      await lasts(stage, random)
      await stage.startServer('as it was')
    },
  },
  {
    name: 'the server is killed and its disk is lost',
    strike: async (stage, random) => {
      stage.server.kill('SIGKILL')
      await lasts(stage, random)
      await stage.startServer('empty')
    },
  },
  {
    name: 'the server is frozen',
    strike: async (stage, random) => {
      stage.server.kill('SIGSTOP')
      await lasts(stage, random)
      stage.server.kill('SIGCONT')
    },
  },
  {
    name: 'the network of the workers is cut',
    strike: async (stage, random) => {
      stage.workersCable.cut(random() < 0.5 ? 'closed' : 'silent')
      await lasts(stage, random)
      stage.workersCable.mend()
    },
  },
  {
    name: 'the network of the home part is cut',
    strike: async (stage, random) => {
      stage.homeCable.cut(random() < 0.5 ? 'closed' : 'silent')
      await lasts(stage, random)
      stage.homeCable.mend()
    },
  },
  {
    name: 'the home part is killed and resumed',
    strike: async (stage, random) => {
      stage.home.kill('SIGKILL')
      await delay(random() * 1000)
      stage.resumeHome()
    },
  },
  {
    name: 'the home part is frozen',
    strike: async (stage, random) => {
      stage.home.kill('SIGSTOP')
      await lasts(stage, random)
      stage.home.kill('SIGCONT')
    },
  },
]
