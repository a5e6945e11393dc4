import { join } from 'node:path'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import type { Benchmark } from '../../read/benchmark-kinds.ts'
import { troubleOf } from '../../trouble.ts'
import { readOrigin } from './origin.ts'
import { percent } from './percent.ts'
import { writeEvents } from './report-events.ts'
import { headingOf } from './report-heading.ts'
import { page } from './report-page.ts'
import { embedSheets } from './report-sheets.ts'
import { csv, markdown } from './report-text.ts'
import { readRecipe, readResults, readTimings } from './store.ts'
import { idsOfShard, type Summary, summarise } from './summary.ts'

/**
 * Writes `results.jsonl` in the order of the benchmark, and the report as JSON, CSV, Markdown and a page that holds
 * all it shows. More failures than `failOnError` stand first in each. Returns the summary, a line about it, and whether there are
 * true answers.
 */
export async function writeReport(
  folder: string,
  benchmark: Benchmark,
  failOnError = 1,
): Promise<{ summary: Summary; line: string; isScored: boolean }> {
  const ids = new Set(idsOfShard(benchmark))
  const results = readResults(folder, benchmark).filter(({ id }) => ids.has(id))
  const recipe = readRecipe(folder)
  const whole = summarise(benchmark, recipe, results, readTimings(folder), readOrigin(folder))
  const trouble = troubleOf(whole.outcomes, failOnError)
  const summary = trouble === undefined ? whole : { trouble, ...whole }
  // no fault of the run: the answers may be meant for a submission
  const isUnknown = whole.unwinnable === results.length && results.length > 0
  const shown = trouble === undefined && isUnknown ? { trouble: noTruth, ...whole } : summary
  const heading = headingOf(folder, recipe)
  const write = (name: string, text: string) => replaceFile(join(folder, name), text)
  write('results.jsonl', results.map(({ digests: _, ...line }) => `${JSON.stringify(line)}\n`).join(''))
  write('report.json', `${JSON.stringify(shown, null, 2)}\n`)
  write('report.csv', csv(results))
  write('report.md', markdown(shown))
  write('report.html', page(shown, heading, results, await embedSheets(folder, results)))
  writeEvents(folder, summary)
  const [headline] = summary.scores
  const complete =
    summary.done === summary.expected ? '' : ` (${summary.done} of ${summary.expected} questions)`
  const score = isUnknown ? noTruth : `${headline?.name} accuracy ${percent(headline?.mean ?? Number.NaN)} %`
  const line = `${heading.model}: ${score}${complete}${othersOf(whole.outcomes)}; see ${join(folder, 'report.html')}`
  return { summary, line, isScored: !isUnknown }
}

/** How many questions have an outcome that is neither right nor wrong, e.g. `; 4 truncated`. */
function othersOf(outcomes: Readonly<Record<string, number>>): string {
  const others = Object.entries(outcomes).filter(([name]) => name !== 'right' && name !== 'wrong')
  const counts = others.flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []))
  return counts.length === 0 ? '' : `; ${counts.join(', ')}`
}

const noTruth = 'no question has a true answer to compare with, so there is no accuracy'
