import { existsSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { askTap, stopTap } from '../../run/record/tap.ts'
import { refuseUnlessFile } from '../../shared/files.ts'
import { hint, UsageError } from '../arguments.ts'
import { readStatus, waitFlag, waitForRun } from '../live-run.ts'
import type { Verb } from '../verb.ts'

const pollMs = 200

export const tap: Verb = {
  summary: 'Shows items arriving at an input of a running graph.',
  usage: 'RUN NODE.PORT',
  flags: {
    count: { value: 'N', description: 'Items to show (default 5).' },
    wait: waitFlag,
  },
  example: [
    'npx flow run flow:grpo.json --set steps=20 \\',
    '  --out runs/tapped > tapped.log &',
    'npx flow tap runs/tapped update.groups --count 1 --wait 600',
  ].join('\n'),
  run: async (words, { print, complain }) => {
    const [directory, end, ...more] = words.positional
    if (directory === undefined || end === undefined || more.length > 0)
      throw new UsageError('must name a run directory and an input, as node.port')
    await waitForRun(directory, words, complain)
    const { edges } = readStatus(directory)
    const ends = [...new Set(edges.map(edge => edge.end))]
    if (!ends.includes(end)) throw new UsageError(`${end}: must be an input of the run${hint(end, ends)}`)
    const count = Number(words.last('count') ?? 5)
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(`--count: must be a whole number from 1, found "${words.last('count')}"`)
    let shown = 0
    try {
      for (;;) {
        // read before the file, so that items which arrive before the end are shown
        const { ended } = readStatus(directory)
        const file = askTap(directory, end)
        refuseUnlessFile(file)
        const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
        for (const line of lines.slice(shown, count)) print(line)
        shown = Math.max(shown, Math.min(lines.length, count))
        if (shown === count) return 0
        if (ended) {
          complain(`${directory}: the run ended after ${shown} items`)
          return 0
        }
        await setTimeout(pollMs)
      }
    } finally {
      stopTap(directory, end)
    }
  },
}
