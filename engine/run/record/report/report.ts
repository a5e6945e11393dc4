import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileInside, isInside } from '../../../shared/inside.ts'
import type { Status } from '../status.ts'
import type { Series } from './curve.ts'
import { type Entry, type Report, reportPage, type Sample } from './page.ts'

const newestCount = 24
const extremeCount = 8

/** The text of `report.html`, made of the other files of a run's folder: one page that needs nothing else. */
export const reportOf = async (directory: string): Promise<string> => reportPage(await readReport(directory))

async function readReport(directory: string): Promise<Report> {
  const steps = new Map<string, { step: number; value: number }[]>()
  let count = 0
  for await (const entry of lines(join(directory, 'metrics.jsonl'))) {
    count++
    const step = typeof entry.step === 'number' ? entry.step : count
    for (const [name, value] of Object.entries(entry)) {
      if (typeof value !== 'number' || !Number.isFinite(value) || name === 'step') continue
      const points = steps.get(name) ?? []
      steps.set(name, points)
      points.push({ step, value })
    }
  }
  const all = [...steps].map(([name, points]) => ({ name, points }))
  const moves = ({ points }: Series) => new Set(points.map(({ value }) => value)).size > 1
  return {
    manifest: (readJson(join(directory, 'manifest.json')) ?? {}) as Entry,
    // written by the same program: it is what it claims to be
    status: readJson(join(directory, 'status.json')) as Status | undefined,
    series: all.filter(moves),
    constants: all.filter(one => !moves(one)),
    ...(await readSamples(join(directory, 'samples.jsonl'))),
  }
}

/** The newest, and those with the highest and the lowest `reward`: a number of them that does not grow with the run. */
async function readSamples(path: string): Promise<{ samples: Sample[]; sampleCount: number }> {
  const newest: Entry[] = []
  const best: Entry[] = []
  const worst: Entry[] = []
  let sampleCount = 0
  for await (const entry of lines(path)) {
    sampleCount++
    newest.push(entry)
    if (newest.length > newestCount) newest.shift()
    const { reward } = entry
    if (typeof reward !== 'number') continue
    keep(best, entry, (a, b) => rewardOf(b) - rewardOf(a))
    keep(worst, entry, (a, b) => rewardOf(a) - rewardOf(b))
  }
  const chosen = new Map<Entry, Sample['why']>()
  const groups = { best, worst, newest: newest.reverse() }
  for (const why of ['best', 'worst', 'newest'] as const)
    for (const entry of groups[why]) if (!chosen.has(entry)) chosen.set(entry, why)
  const folder = dirname(path)
  return {
    samples: [...chosen].map(([entry, why]) => ({ entry, why, pictures: picturesOf(entry, folder) })),
    sampleCount,
  }
}

/** The pictures in the run's folder that fields of an entry name. */
function picturesOf(entry: Entry, folder: string): Map<string, string> {
  const pictures = new Map<string, string>()
  for (const [name, value] of Object.entries(entry)) {
    if (typeof value !== 'string' || !value.endsWith('.jpg') || !isInside(value)) continue
    const file = fileInside(folder, value)
    if (file !== undefined) pictures.set(name, readFileSync(file, 'base64'))
  }
  return pictures
}

const rewardOf = ({ reward }: Entry): number => (typeof reward === 'number' ? reward : 0)

function keep(list: Entry[], entry: Entry, compare: (a: Entry, b: Entry) => number): void {
  const last = list[extremeCount - 1]
  if (last && compare(last, entry) <= 0) return
  list.push(entry)
  list.sort(compare)
  if (list.length > extremeCount) list.pop()
}

/** The objects of a file of JSON lines; a last line that a crash cut short is left out. */
async function* lines(path: string): AsyncGenerator<Entry> {
  if (!existsSync(path)) return
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    let entry: unknown
    try {
      entry = JSON.parse(line)
    } catch {
      continue
    }
    // streams hold one object a line
    if (typeof entry === 'object' && entry !== null) yield entry as Entry
  }
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
