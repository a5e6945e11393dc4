import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../engine/run/random-graph.ts'
import { childrenOf } from './soak-processes.ts'

export type KillKind = 'SIGKILL' | 'SIGTERM' | 'SIGTERM twice' | 'SIGHUP' | 'ffmpeg' | 'scorer' | 'GPU device'

/** The program that a killed scorer runs. */
export const scorerName = 'soak-scorer'

/** How a process ended, and what it said after it was struck. */
export interface End {
  code: number | null
  signal: NodeJS.Signals | null
  said: string
}

interface Kill {
  /** Strikes a run; false when there was nothing to strike. */
  strike(pid: number, random: Random): Promise<boolean>
  /** Whether the run may go on as if nothing had happened: always, when what was struck had done its work, or never. */
  readonly goesOn: 'must' | 'may' | 'never'
  /** What is wrong with the end of a run. */
  fault(end: End): string | undefined
}

const send = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // it has ended
  }
}

const ended = ({ code, signal }: End): string => (signal ? `by ${signal}` : `with exit code ${code}`)

/** The run must say what became of it, and end with exit code 1. */
const failsWith =
  (what: RegExp) =>
  (end: End): string | undefined => {
    if (end.code !== 1) return `ended ${ended(end)}, should be exit code 1`
    return what.test(end.said) ? undefined : `did not say ${what}: ${end.said.slice(-400)}`
  }

const stops = (end: End): string | undefined =>
  end.code === 130 ? undefined : `ended ${ended(end)}, should be exit code 130`

/** Looks for a process that the run has started, and kills it. */
async function strikeChild(pid: number, name: string): Promise<boolean> {
  for (const until = performance.now() + 60_000; performance.now() < until; await delay(2)) {
    if (!send(pid, 0 as unknown as NodeJS.Signals)) return false
    const [child] = childrenOf(pid, name)
    if (child !== undefined && send(child, 'SIGKILL')) return true
  }
  return false
}

export const kills: Readonly<Record<KillKind, Kill>> = {
  SIGKILL: {
    strike: async pid => send(pid, 'SIGKILL'),
    goesOn: 'never',
    fault: end => (end.signal === 'SIGKILL' ? undefined : `ended ${ended(end)}`),
  },
  SIGTERM: { strike: async pid => send(pid, 'SIGTERM'), goesOn: 'never', fault: stops },
  'SIGTERM twice': {
    strike: async (pid, random) => {
      const first = send(pid, 'SIGTERM')
      await delay(random() * 100)
      send(pid, 'SIGTERM')
      return first
    },
    goesOn: 'never',
    fault: stops,
  },
  SIGHUP: {
    strike: async pid => send(pid, 'SIGHUP'),
    goesOn: 'must',
    fault: end => `ended ${ended(end)}, should go on`,
  },
  ffmpeg: {
    strike: pid => strikeChild(pid, 'ff'),
    goesOn: 'may',
    fault: failsWith(/ended from outside by SIGKILL/),
  },
  scorer: {
    strike: pid => strikeChild(pid, scorerName),
    goesOn: 'may',
    fault: failsWith(/ended by SIGKILL/),
  },
  'GPU device': {
    strike: async pid => send(pid, 'SIGUSR2'),
    goesOn: 'never',
    fault: failsWith(/device/),
  },
}
