// Folders of results in which a value, a byte or a file is changed at random. Each reader accepts such a folder, or refuses it
// with a code and a line that names a file or a folder. FLOW_CASES=2000 tries more of them, FLOW_SEED others.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CodedError, codeOf, messageOf } from '../../../../engine/shared/errors.ts'
import { compareResults, describeComparison } from '../../../../operators/eval/results/compare.ts'
import { writeComparisonPage } from '../../../../operators/eval/results/compare-page.ts'
import { exportForms, exportResults } from '../../../../operators/eval/results/export.ts'
import { mergeResults } from '../../../../operators/eval/results/merge.ts'
import { writeReport } from '../../../../operators/eval/results/report.ts'
import { appendTiming, readBenchmark } from '../../../../operators/eval/results/store.ts'
import { describeTable, tableFormats, tabulate } from '../../../../operators/eval/results/table.ts'
import { pickOf, type Random, randomOf } from '../../../engine/run/random-graph.ts'
import { changedJson } from '../../../json-changes.ts'
import { madeFolder, madeResult } from './made-results.ts'

const cases = Number(process.env.FLOW_CASES ?? 200)
const firstSeed = Number(process.env.FLOW_SEED ?? 0) * 1_000_000
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-results-'))
t.teardown(() => rmSync(root, { recursive: true }))
t.setTimeout(1_200_000)

function changeLine(path: string, random: Random): void {
  const text = readFileSync(path, 'utf8')
  const lines = path.endsWith('.jsonl') ? text.trim().split('\n') : [text]
  const at = Math.floor(random() * lines.length)
  writeFileSync(path, lines.map((line, i) => (i === at ? changedJson(line, random) : line)).join('\n'))
}

const changes: readonly ((path: string, random: Random) => void)[] = [
  changeLine,
  changeLine,
  changeLine,
  (path, random) => {
    const bytes = readFileSync(path)
    bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8)
    writeFileSync(path, bytes)
  },
  (path, random) => writeFileSync(path, readFileSync(path).subarray(0, Math.floor(random() * 40))),
  path => rmSync(path),
]

const readers: readonly ((folder: string, whole: string, out: string, random: Random) => unknown)[] = [
  (folder, whole, _, random) => describeTable(tabulate([folder, whole]), pickOf(tableFormats, random)),
  (folder, whole) => describeComparison(compareResults(folder, whole)),
  (folder, whole, out) => writeComparisonPage(`${out}.html`, folder, whole),
  (folder, _, out, random) => exportResults(folder, pickOf(exportForms, random), out),
  (folder, whole, out) => mergeResults(out, [folder, whole]),
  folder => writeReport(folder, readBenchmark(folder), 1),
]

t.test(`${cases} changed folders of results are read, or refused with a code and a name`, async t => {
  const results = [
    madeResult('1', 'A', { groups: { length: 'short' }, credit: 0.5 }),
    madeResult('2', 'B', { tasks: ['order', 'count'], marks: { speed: 1 } }),
    madeResult('3', null, { open: { rule: 'points', words: 'x', points: ['y'] } }),
  ]
  const whole = madeFolder(join(root, 'whole'), results)
  for (const { id, clip } of results) appendTiming(whole, { id, clip, tokens: 3, decode: 0.5 })
  await writeReport(whole, readBenchmark(whole), 1)
  const ends = { accepted: 0, refused: 0 }
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const random = randomOf(seed)
    const folder = join(root, String(seed))
    cpSync(whole, folder, { recursive: true })
    const names = ['benchmark.json', 'recipe.json', 'timings.jsonl', 'results.jsonl', 'report.json']
    const files = [...names, ...readdirSync(join(folder, 'results')).map(name => join('results', name))]
    const name = pickOf(files, random)
    pickOf(changes, random)(join(folder, name), random)
    try {
      await pickOf(readers, random)(folder, whole, join(folder, 'out'), random)
      ends.accepted++
    } catch (error) {
      const text = messageOf(error)
      const isCoded = error instanceof CodedError || /^E(?!RR_)/.test(codeOf(error) ?? '')
      if (!isCoded || !text.includes(root)) t.fail(`seed ${seed}, ${name}: ${(error as Error).stack}`)
      ends.refused++
    }
    rmSync(folder, { recursive: true })
  }
  t.ok(ends.accepted > cases / 10 && ends.refused > cases / 10, JSON.stringify(ends))
})
