// The page of an evaluation with 5,000 questions in Chromium, on a desk and on a telephone.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import t from 'tap'
import { page as pageOf } from '../../../../operators/eval/results/report-page.ts'
import type { Result } from '../../../../operators/eval/results/result.ts'
import { summarise } from '../../../../operators/eval/results/summary.ts'
import type { Benchmark } from '../../../../operators/read/benchmark-kinds.ts'
import { openBrowser, openPage } from '../../../browser.ts'
import { madeResult } from './made-results.ts'

t.setTimeout(800_000)
const browser = await openBrowser(t)
const letters = ['A', 'B', 'C', 'D', 'E', 'F']
const count = 5000

/** Every letter is true and said, and one answer in ten is cut. */
function answerTo(i: number, repeat: number): Result {
  const [answer = '', chosen = ''] = [letters[i % 6], letters[(i * i + repeat) % 6]]
  const isCut = (i + repeat) % 10 === 0
  return madeResult(`made/${'long name '.repeat(3)}${i}`, chosen, {
    tasks: [`task ${i % 9} with a long name`],
    groups: { duration: i % 2 === 0 ? 'short' : 'long' },
    question: `What is number ${i} of them, ${'and so on '.repeat(i % 5)}?\n(A) x\nAnswer.`,
    options: letters.map(letter => `option ${letter} ${'word '.repeat(i % 4)}`),
    letters,
    answer,
    chosen: isCut ? null : chosen,
    outcome: isCut ? 'truncated' : chosen === answer ? 'right' : 'wrong',
    output: `<think> ${'w'.repeat(200)} ${'hm '.repeat(i % 50)}${isCut ? '' : `</think><answer> ${chosen} </answer>`}`,
    finished: !isCut,
    tokens: 40 + (i % 900),
    ...(repeat > 0 && { repeat }),
  })
}

function written(folder: string, repeats: number): string {
  const results = Array.from({ length: count * repeats }, (_, i) =>
    answerTo(Math.floor(i / repeats), i % repeats),
  )
  const questions = results.filter(({ repeat }) => !repeat).map(({ id, clip }) => ({ id, clip }))
  const rest = { excluded: [], findings: [], shard: 1, shards: 1 }
  const benchmark: Benchmark = { name: 'made', headline: 'tasks', questions, ...rest }
  const heading = {
    model: '/models/a/long/name',
    profile: 'profile strict',
    date: 'today',
    details: ['data'],
  }
  const summary = summarise(benchmark, { model: heading.model, ...(repeats > 1 && { repeats }) }, results, [])
  const file = join(folder, `${repeats}.html`)
  writeFileSync(file, pageOf(summary, heading, results, new Map()))
  return pathToFileURL(file).href
}

/** Parts of the page that reach beyond its right edge, whether they can be scrolled to or not. */
const tooWide = (page: Page): Promise<string[]> =>
  page.evaluate(`
    [...document.querySelectorAll('body *')]
      .map(one => [one.tagName + '.' + one.className, one.getBoundingClientRect()])
      .filter(([, { width, right }]) => width > 0 && right > document.documentElement.clientWidth + 1)
      .map(([name]) => name)`)

for (const repeats of [1, 3])
  for (const width of [1280, 390])
    t.test(`${repeats} answers to each question, ${width} pixels: everything is in sight`, async t => {
      const address = written(t.testdir(), repeats)
      const { page, asked, faults } = await openPage(browser, address, { width })
      await page.waitForSelector('.item')
      t.equal(await page.locator('#count').textContent(), '5,000 of 5,000 questions')
      t.match(await page.locator('h1').textContent(), '/models/a/long/name on made')
      t.strictSame(await tooWide(page), [])
      await page.locator('.item summary').nth(3).click()
      await page.waitForSelector('.item[open] .body')
      t.match(await page.locator('.item[open] .body').textContent(), /<answer> . <\/answer>/)
      t.strictSame(await tooWide(page), [], 'nor does an open question')
      await page.evaluate("location.hash = 'flag=cut&sort=length&down=1'")
      await page.waitForFunction("document.getElementById('count').textContent.startsWith('5,000') === false")
      const cut = Array.from({ length: count }, (_, i) => i).filter(i =>
        Array.from({ length: repeats }, (_, repeat) => i + repeat).some(sum => sum % 10 === 0),
      )
      const shown = `${cut.length.toLocaleString('en')} of 5,000 questions`
      t.equal(await page.locator('#count').textContent(), shown)
      t.strictSame(await tooWide(page), [])
      t.strictSame(faults, [])
      t.strictSame(asked, [address], 'it loads nothing')
      await page.close()
    })
