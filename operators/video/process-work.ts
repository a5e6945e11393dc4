import { readFileSync } from 'node:fs'

/** The processor time of a process, seconds, and whether it could use more at once: it waits for nothing but a processor or a disk. */
export interface ProcessWork {
  worked: number
  isReady: boolean
}

export const idle: ProcessWork = { worked: 0, isReady: false }

/** Linux counts processor time in hundredths of a second. */
const ticksInSecond = 100

/** What a process has worked; `idle` once it has ended, and where the system has no /proc. */
export function workOf(pid: number): ProcessWork {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the second field is the program's name in brackets, which may hold spaces
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [user = 0, system = 0] = fields.slice(10, 12).map(Number)
    return { worked: (user + system) / ticksInSecond, isReady: state === 'R' || state === 'D' }
  } catch {
    return idle
  }
}
