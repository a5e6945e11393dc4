// Pages of runs that are over, in Chromium: one that was resumed, and results of an evaluation.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { reportOf } from '../../../engine/view/report.ts'
import { openBrowser, openPage } from '../../browser.ts'

const browser = await openBrowser(t)

const node = { name: 'ask', operator: 'eval.answer', state: 'ended', items: 20, rate: 1, workSeconds: 1 }
const status = {
  ...{ process: 1, time: 0, seconds: 19, ended: true, paused: false, gauges: {}, metrics: {}, edges: [] },
  nodes: [{ ...node, working: 0, blocked: 0, waiting: 0 }],
  live: { items: 0, bytes: 0, peakItems: 0, peakBytes: 0 },
}

t.test(
  'the time of a resumed run has the seconds before the resume, and its counts are said to be those since',
  async t => {
    const textOf = async (manifest: object) => {
      const run = t.testdir({
        'manifest.json': JSON.stringify({ graph: 'g.json', ...manifest }),
        'status.json': JSON.stringify(status),
      })
      const file = join(run, 'report.html')
      writeFileSync(file, reportOf(run))
      const { page } = await openPage(browser, pathToFileURL(file).href)
      await page.locator('.legend').waitFor()
      return page.locator('body').innerText()
    }
    const resumed = await textOf({ secondsBefore: 17 })
    t.match(resumed, /time\s+36 s/)
    t.match(resumed, /since the run was resumed/)
    const whole = await textOf({})
    t.match(whole, /time\s+19 s/)
    t.notMatch(whole, /since the run was resumed/)
  },
)

t.test('a folder of results is called so, without a graph, and shows each answer once', async t => {
  const row = { id: 'q1', question: 'Which?', outcome: 'right', output: 'I say A' }
  const folder = t.testdir({
    results: { 'q1.json': JSON.stringify(row) },
    'results.jsonl': `${JSON.stringify(row)}\n`,
  })
  const file = join(folder, 'page.html')
  writeFileSync(file, reportOf(folder))
  const { page } = await openPage(browser, pathToFileURL(file).href)
  await page.locator('.group').first().waitFor()
  const text = await page.locator('body').innerText()
  t.match(text, /results of an evaluation/)
  t.notMatch(text, /starting|The bar of a node|Choose a node/)
  t.equal(text.split('I say A').length - 1, 1, text)
})
