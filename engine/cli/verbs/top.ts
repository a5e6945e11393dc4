import { setTimeout } from 'node:timers/promises'
import type { Status } from '../../run/record/status.ts'
import { showBytes } from '../../shared/bytes.ts'
import { number } from '../../shared/number.ts'
import { table } from '../../shared/table.ts'
import { visible } from '../../shared/visible.ts'
import { onlyWord } from '../arguments.ts'
import { readStatus, waitFlag, waitForRun } from '../live-run.ts'
import { duration } from '../progress.ts'
import type { Verb } from '../verb.ts'

/** An older status is from a run whose process was killed. */
const staleMs = 5000
/** A worker says each second what it does. */
const silentSeconds = 3

export const top: Verb = {
  summary: 'Shows what each node of a running graph does, every second.',
  usage: 'RUN',
  flags: { once: { description: 'Show it once.' }, wait: waitFlag },
  example: [
    'npx flow run flow:grpo.json --set steps=2 \\',
    '  --out runs/seen > seen.log &',
    'npx flow top runs/seen --wait 600',
  ].join('\n'),
  run: async (words, { print, complain, screen }) => {
    const directory = onlyWord(words, 'run directory')
    await waitForRun(directory, words, complain)
    for (;;) {
      const status = readStatus(directory)
      const stale = !status.ended && Date.now() - status.time > staleMs
      const text = describeStatus(status, stale)
      const over = status.ended || stale || words.last('once') !== undefined
      if (!screen.isTTY || over) {
        print(text)
        return 0
      }
      // clears the screen and starts at the top left
      screen.write(`\x1b[H\x1b[2J${visible(text)}\n`)
      await setTimeout(1000)
    }
  },
}

export function describeStatus(status: Status, stale: boolean): string {
  const { nodes, edges, live, gauges, metrics, seconds, ended } = status
  const state = ended
    ? 'ended'
    : status.paused
      ? 'paused'
      : stale
        ? `no longer running (process ${status.process})`
        : 'running'
  const shown = ['step', 'reward', 'loss', 'tokens_per_second'].flatMap(name =>
    metrics[name] === undefined ? [] : [`${name} ${number(metrics[name])}`],
  )
  const measured = Object.entries(gauges).map(
    ([name, value]) =>
      `${name} ${name.endsWith('bytes') ? showBytes(value) : name.endsWith('busy') ? percent(value) : number(value)}`,
  )
  const rows = nodes.map(node => {
    const waits = node.blockedBy === undefined ? '' : `room at ${node.blockedBy}`
    return [
      node.name,
      node.state,
      String(node.items),
      `${number(node.rate)}/s`,
      `${node.workSeconds.toFixed(1)}s`,
      percent(node.working),
      percent(node.blocked),
      percent(node.waiting),
      waits,
    ]
  })
  const waiting = edges.map(({ name, size, capacity, bytes, passed, dropped }) => [
    name,
    `${size}/${capacity}`,
    showBytes(bytes),
    `${passed} passed`,
    dropped > 0 ? `${dropped} dropped` : '',
  ])
  return [
    [state, duration(seconds), ...shown].join('  '),
    [`${live.items} items alive (peak ${live.peakItems})`, showBytes(live.bytes), ...measured].join('  '),
    '',
    ...table([['node', 'now', 'items', 'rate', 'work', 'works', 'blocked', 'idle', 'waits for'], ...rows]),
    '',
    ...workerRows(status),
    ...table([['edge', 'holds', 'bytes', '', ''], ...waiting]),
  ].join('\n')
}

/** What each process of a part holds, and the version that it works with; nothing where one process runs all. */
function workerRows({ workers = [] }: Status): string[] {
  if (workers.length === 0) return []
  const rows = workers.map(({ worker, part, host, process, leases, done, version, silent }) => [
    worker,
    part,
    `${host} ${process}`,
    String(leases),
    String(done),
    Array.isArray(version) ? version.map(String).join(', ') : '',
    silent > silentSeconds ? `silent for ${duration(silent)}` : '',
  ])
  return [...table([['worker', 'part', 'process', 'leases', 'done', 'version', ''], ...rows]), '']
}

const percent = (share: number): string => `${Math.round(share * 100)}%`
