import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { differences } from '../../graph/differences.ts'
import { show } from '../../graph/problem.ts'
import { hide, hideIn } from '../../graph/secrets.ts'
import { checkpointsOf, damageOf, listCheckpoints, readState } from '../../run/checkpoint/folder.ts'
import { startRun } from '../../run/run.ts'
import type { RunSummary } from '../../run/summary.ts'
import { refuseUnlessFile } from '../../shared/files.ts'
import { onlyWord, UsageError } from '../arguments.ts'
import { type PastRun, readRun } from '../past-run.ts'
import { pluginFlag } from '../plug.ts'
import { gpuFlag, type Verb, type World } from '../verb.ts'

/** One line that a run recorded. */
interface Line {
  stream: string
  /** Where it begins in its file, bytes. */
  at: number
  entry: Record<string, unknown>
}

/**
 * The records of an item depend on all updates before it, so the run is repeated up to the item: from the newest
 * checkpoint before it, or else from the start, in a temporary folder. Nodes without outputs are left out, because they
 * write files outside of the run.
 */
export const replay: Verb = {
  summary: 'Repeats one item of a run and compares its records.',
  usage: 'RUN --item KEY',
  loads: 'runs',
  flags: {
    plugin: pluginFlag,
    ...gpuFlag,
    item: { value: 'KEY', description: 'Key of the item, as `key` in metrics.jsonl or samples.jsonl.' },
  },
  example: [
    'npx flow run flow:grpo.json --set steps=2 --out runs/two-steps',
    'npx flow replay runs/two-steps --item 1:24',
  ].join('\n'),
  run: async (words, world) => {
    const stated = onlyWord(words, 'run directory')
    const key = words.last('item')
    if (key === undefined) throw new UsageError('--item KEY: must be given')
    const past = readRun(stated, world)
    const { directory } = past
    const lines = recorded(directory)
    const records = lines.filter(line => isAbout(line, key))
    if (records.length === 0) {
      const some = [
        ...new Set(lines.flatMap(({ entry }) => (entry.key === undefined ? [] : [entry.key]))),
      ].slice(0, 5)
      const found = some.length > 0 ? `it recorded, e.g., ${some.join(', ')}` : 'it recorded no items'
      throw new UsageError(`--item ${key}: must be the key of an item that ${directory} recorded; ${found}`)
    }
    const checkpoint = await checkpointBefore(directory, records)
    world.print(`repeating "${key}" from ${checkpoint ?? 'the start of the run'}`)
    const { lines: again, summary } = await repeat(
      past,
      directory,
      { checkpoint, key, count: records.length },
      world,
    )
    if (summary.status === 'failed') {
      world.complain(hide(summary.error?.message ?? '', past.plan.secrets))
      return 1
    }
    const differing = records.filter((line, i) => !report(line, again[i], world)).length
    world.print(
      differing === 0
        ? `${records.length} records: equal`
        : `${differing} of ${records.length} records differ`,
    )
    return differing === 0 ? 0 : 1
  },
}

function recorded(directory: string): Line[] {
  const names = readdirSync(directory).filter(
    name => name.endsWith('.jsonl') && name !== 'dead-letters.jsonl',
  )
  return names.flatMap(name => {
    let at = 0
    const path = join(directory, name)
    refuseUnlessFile(path)
    if (statSync(path).isDirectory()) return []
    return readFileSync(path, 'utf8')
      .split('\n')
      .flatMap(text => {
        const begin = at
        at += Buffer.byteLength(text) + 1
        // a killed process may have left part of a line
        const entry = parsed(text)
        return entry ? [{ stream: name.slice(0, -'.jsonl'.length), at: begin, entry }] : []
      })
  })
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The key of an update of several items names all of them. */
const isAbout = ({ entry }: Pick<Line, 'entry'>, key: string): boolean =>
  typeof entry.key === 'string' && (entry.key === key || entry.key.split(' ').includes(key))

/** The newest whole checkpoint written before all of the lines. */
async function checkpointBefore(directory: string, lines: readonly Line[]): Promise<string | undefined> {
  for (const name of (await listCheckpoints(directory)).reverse()) {
    const folder = join(checkpointsOf(directory), name)
    const state = await readState(folder).catch(() => undefined)
    const isBefore = state && lines.every(({ stream, at }) => (state.files[`${stream}.jsonl`] ?? 0) <= at)
    // only then are its files read
    if (isBefore && (await damageOf(folder)) === undefined) return name
  }
  return undefined
}

/** Runs the graph until it has recorded the same number of lines about the item. */
async function repeat(
  { plan, seed }: PastRun,
  directory: string,
  { checkpoint, key, count }: { checkpoint: string | undefined; key: string; count: number },
  world: World,
): Promise<{ lines: Pick<Line, 'stream' | 'entry'>[]; summary: RunSummary }> {
  const scratch = mkdtempSync(join(tmpdir(), 'flow-replay-'))
  try {
    const nodes = plan.nodes.filter(node => Object.keys(node.operator.outputs).length > 0)
    const never = { every: 0, keep: 1, best: '' }
    await world.prepare(plan)
    const lines: Pick<Line, 'stream' | 'entry'>[] = []
    const run = startRun(
      { ...plan, nodes, checkpoint: never },
      {
        seed,
        directory: scratch,
        ...(checkpoint !== undefined && { from: join(checkpointsOf(directory), checkpoint) }),
        onEvent: event => {
          if (event.type !== 'record' || !isAbout(event, key)) return
          // as it would be read from the file
          const entry = hideIn(JSON.parse(JSON.stringify(event.entry)), plan.secrets)
          lines.push({ stream: event.stream, entry })
          if (lines.length === count) run.abort()
        },
      },
    )
    return { summary: await run.done, lines: inStreams(lines) }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Sorted by file name, as `recorded` gives them. */
const inStreams = <T extends { stream: string }>(lines: readonly T[]): T[] =>
  [...lines].sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0))

const isTiming = (path: string): boolean => /(^|_)seconds$|_per_second$/.test(path)

/** Prints the differences of a record; true when there are none, timings aside. */
function report(before: Line, after: Pick<Line, 'stream' | 'entry'> | undefined, { print }: World): boolean {
  const found = after
    ? differences(before.entry, after.entry).filter(({ path }) => !isTiming(path))
    : [{ path: '', before: before.entry, after: undefined }]
  const label = [before.stream, before.entry.step === undefined ? '' : `step ${before.entry.step}`].filter(
    Boolean,
  )
  for (const { path, before, after } of found)
    print(
      `${label.join(' ')}: ${path || 'record'} was ${show(before, 'missing')}, is ${show(after, 'missing')}`,
    )
  if (found.length === 0) print(`${label.join(' ')}: equal`)
  return found.length === 0
}
