// Runs all compiled tests: node dist/test/run.js [PART-OF-A-PATH…]. The last line says `N passed, N failed`.
import { readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FileResult, runFile, stopAll } from './run-file.ts'

/** Test files that run at the same time. */
const jobs = 2

const folder = process.env.FLOW_TEST_FOLDER ?? dirname(fileURLToPath(import.meta.url))
const parts = process.argv.slice(2)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter(
    path => path.endsWith('.test.js') && (parts.length === 0 || parts.some(part => path.includes(part))),
  )
  .sort()
  .map(path => join(folder, path))

process.once('SIGINT', () => {
  stopAll()
  process.exit(130)
})
process.once('SIGTERM', () => {
  stopAll()
  process.exit(143)
})

const started = performance.now()
const results: FileResult[] = []
const waiting = files.values()
await Promise.all(Array.from({ length: jobs }, work))

const sum = (field: 'passed' | 'failed' | 'skipped'): number =>
  results.reduce((total, result) => total + result[field], 0)
const nothing = files.length === 0 ? 1 : 0
if (nothing)
  console.log(`no tests ran: no *.test.js${parts.length ? ` matching ${parts.join(', ')}` : ''} in ${folder}`)
const failed = sum('failed') + nothing
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(`\n${files.length} files, ${sum('skipped')} skipped, ${seconds} s`)
console.log(`${sum('passed')} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

async function work(): Promise<void> {
  for (const path of waiting) {
    const result = await runFile(path)
    results.push(result)
    print(result)
  }
}

function print({ path, passed, failed, skipped, seconds, failures }: FileResult): void {
  const skips = skipped ? `, ${skipped} skipped` : ''
  const mark = failed ? 'FAILED' : 'ok'
  console.log(
    `${mark.padEnd(6)} ${relative(folder, path)} (${passed} passed, ${failed} failed${skips}, ${seconds.toFixed(1)} s)`,
  )
  for (const failure of failures) console.log(failure.replace(/^/gm, '    '))
}
