// The page of `flow view` in Chromium, over runs made up for the purpose.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { reportOf } from '../../../engine/view/report.ts'
import { openView } from '../../../engine/view/server.ts'
import { openBrowser, openPage, openTab } from '../../browser.ts'

t.setTimeout(800_000)
const browser = await openBrowser(t)
/** What must never run or leave the machine. */
const hostile = [
  '<img src=x onerror="alert(1)">',
  '</script><script>alert(2)</script>',
  '<svg onload=alert(3)><style>*{background:url(https://evil.example/x)}</style>',
  'javascript:alert(4)',
  '\u202emoc.elpmaxe\u001b[2J',
  '{{constructor.constructor("alert(5)")()}}',
  // those of cases/attacks
  '</script></pre><script>document.title="PWNED1"</script>',
  '</script><img src=x onerror="document.title=\'PWNED2\'">',
  "\"><script>document.title='PWNED3'</script>",
  '\u001b[2J\u001b]0;pwned\u0007\u001b[31mFAKE',
  'data:image/svg+xml,<svg onload=alert(1)>',
]

const lines = (entries: readonly object[]): string =>
  entries.map(entry => `${JSON.stringify(entry)}\n`).join('')

/** Groups of four completions that answer better and better. */
const samples = (groups: number, text = (i: number) => `answer ${i}`) =>
  Array.from({ length: groups * 4 }, (_, i) => {
    const step = Math.floor(i / 4) + 1
    const reward = i % 4 < step % 5 ? 1 : -0.5
    const question = `where does the square go? clip ${step % 7}`
    return {
      step,
      key: String(step),
      index: i % 4,
      question,
      text: text(i),
      reward,
      advantage: reward,
      tokens: 9,
    }
  })

function runFolder(t: Test, entries: readonly object[], manifest: object = {}): string {
  return t.testdir({
    'manifest.json': JSON.stringify({
      graph: 'graphs/made-up.json',
      summary: 'Made up.',
      seed: 1,
      ...manifest,
    }),
    'metrics.jsonl': lines(
      Array.from({ length: 30 }, (_, i) => ({ step: i + 1, reward: Math.sin(i), loss: 1 / (i + 1) })),
    ),
    'samples.jsonl': lines(entries),
  })
}

async function viewOf(t: Test, runs: Readonly<Record<string, string>>, control = false) {
  const view = await openView({
    host: '127.0.0.1',
    port: 0,
    control,
    runs: () => new Map(Object.entries(runs)),
    shown: () => Object.keys(runs).slice(0, 1),
  })
  t.teardown(view.close)
  return view
}

t.test('curves grow while lines are written, and a second run lies over the first', async t => {
  const run = runFolder(t, samples(5))
  const other = join(run, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'manifest.json'), '{"graph":"other.json"}')
  writeFileSync(
    join(other, 'metrics.jsonl'),
    lines([
      { step: 1, reward: 3 },
      { step: 2, reward: 4 },
    ]),
  )
  const view = await viewOf(t, { first: run, second: other })
  const { page, faults } = await openPage(browser, view.address)
  const points = (count: number) => page.waitForSelector(`[data-curve="reward"] [data-points="${count}"]`)
  await points(30)
  appendFileSync(join(run, 'metrics.jsonl'), lines([{ step: 31, reward: 2 }]))
  await points(31)
  await page.selectOption('header select', 'second')
  await points(33)
  t.equal(await page.locator('[data-curve="reward"] figcaption b').count(), 2)
  t.same(faults, [])
})

t.test('a curve reaches to its newest value, however lines arrive', async t => {
  const run = runFolder(t, samples(5))
  const metrics = join(run, 'metrics.jsonl')
  const view = await viewOf(t, { run })
  const { page, faults } = await openPage(browser, view.address)
  const reward = '[data-curve="reward"]'
  const reaches = (step: number) =>
    page.waitForSelector(`${reward} [data-points="${step}"] [data-until="${step}"]`, { state: 'attached' })
  await page.locator(`${reward} canvas`).waitFor()
  for (let step = 31; step <= 42; step++) {
    appendFileSync(metrics, lines([{ step, reward: step % 7 }]))
    // now one by one, now several between two looks of the page
    if (step % 4 !== 0 || step % 3 !== 0) await reaches(step)
  }
  await reaches(42)
  t.same(faults, [])
})

t.test('10,000 completions are found, filtered and scrolled, and few of them exist', async t => {
  const many = samples(2500, i => (i === 4000 ? 'wait, let me look again' : `answer ${i}`))
  const view = await viewOf(t, { run: runFolder(t, many) })
  const { page, faults } = await openPage(browser, `${view.address}#completions`)
  await page.getByText('2500 of 2500 groups').waitFor()
  t.ok((await page.locator('.row').count()) < 40, 'rows in view alone')
  t.match(await page.locator('.row').first().textContent(), /^2500/)
  await page.locator('.list').evaluate(list => list.scrollTo(0, list.scrollHeight))
  await page.locator('.row', { hasText: /^1 / }).waitFor()
  await page.getByLabel('Show').selectOption('second thoughts')
  await page.getByText('1 of 2500 groups').waitFor()
  t.equal(await page.locator('mark').first().textContent(), 'wait')
  await page.getByLabel('Show').selectOption('all')
  await page.keyboard.press('Escape')
  await page.getByLabel('Search questions').fill('answer 9999')
  await page.getByText('1 of 2500 groups').waitFor()
  t.match(await page.locator('.completion').last().textContent(), /answer 9999/)
  t.equal(await page.locator('.history li').count(), 358, 'the same question at other updates')
  t.same(faults, [])
})

t.test('keys lead through tabs and groups', async t => {
  const view = await viewOf(t, { run: runFolder(t, samples(5)) })
  const { page } = await openPage(browser, view.address)
  await page.locator('.plot canvas').first().waitFor()
  await page.keyboard.press('3')
  await page.getByText('5 of 5 groups').waitFor()
  t.equal(await page.locator('.completion.best').count(), 0, 'of equal rewards none is the best')
  await page.keyboard.press('j')
  await page.locator('.row[aria-current]', { hasText: /^4 / }).waitFor()
  await page.keyboard.press('j')
  await page.locator('.row[aria-current]', { hasText: /^3 / }).waitFor()
  t.equal(await page.locator('.completion.best').count(), 3)
  await page.keyboard.press('/')
  t.equal(await page.evaluate('document.activeElement.type'), 'search')
})

t.test('hostile texts run nothing, ask nobody, and are read as text', async t => {
  const entries = hostile.flatMap((text, i) => [
    {
      step: i,
      key: text,
      question: text,
      solution: text,
      text,
      reward: 1,
      rewards: { [text]: 1 },
      frames: text,
    },
    {
      step: i,
      key: text,
      question: text,
      text,
      reward: 0,
      frames: 'https://evil.example/a.jpg',
    },
  ])
  const [text = ''] = hostile
  const run = runFolder(t, entries, {
    graph: hostile.join(),
    summary: text,
    params: { [text]: text },
    error: { message: text },
    adapter: text,
  })
  writeFileSync(
    join(run, 'log.jsonl'),
    lines(hostile.map(message => ({ level: 'warn', message, time: message }))),
  )
  writeFileSync(
    join(run, 'dead-letters.jsonl'),
    lines(hostile.map(error => ({ node: error, key: error, error }))),
  )
  writeFileSync(
    join(run, 'nodes.json'),
    JSON.stringify(
      hostile.map(name => ({
        name,
        operator: name,
        summary: name,
        config: [{ name, value: name, description: name }],
        inputs: [],
        outputs: [],
      })),
    ),
  )
  writeFileSync(join(run, 'report.html'), reportOf(run))
  const view = await viewOf(t, { [text]: run })
  for (const address of [view.address, pathToFileURL(join(run, 'report.html')).href]) {
    const { page, asked, faults } = await openPage(browser, address)
    for (const tab of ['overview', 'curves', 'completions', 'log', 'setup']) {
      await openTab(page, tab)
      await page.waitForTimeout(150)
      if (tab === 'overview') await page.locator('g.node').first().click()
      if (tab === 'completions') for (const row of await page.locator('.row').all()) await row.click()
    }
    await openTab(page, 'log')
    await page.getByText(text, { exact: true }).first().waitFor()
    t.notMatch(await page.title(), /pwned/i, 'no text became a title')
    const { origin } = new URL(view.address)
    const elsewhere = asked.filter(
      url => !['file:', 'data:'].some(start => url.startsWith(start)) && !url.startsWith(origin),
    )
    t.same(elsewhere, [], 'no request leaves the machine')
    t.same(
      faults.filter(fault => !fault.includes('404')),
      [],
      'nothing ran',
    )
    await page.close()
  }
})

t.test('at the width of a telephone nothing sticks out', async t => {
  const view = await viewOf(t, {
    run: runFolder(
      t,
      samples(5, () => 'x'.repeat(300)),
    ),
  })
  const { page } = await openPage(browser, view.address, { width: 390 })
  for (const tab of ['overview', 'curves', 'completions', 'setup']) {
    await openTab(page, tab)
    await page.waitForTimeout(200)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, tab)
    const names = await page.locator('nav').evaluate(nav => nav.scrollWidth - nav.clientWidth)
    t.ok(names <= 0, 'every tab can be seen')
  }
})

t.test('of an evaluation that is over, the page tells the result and nothing of this moment', async t => {
  const node = { name: 'ask', operator: 'eval.answer', state: 'ended', items: 1, rate: 1, workSeconds: 1 }
  const run = t.testdir({
    'manifest.json': JSON.stringify({ graph: 'g.json', seconds: 8.9, evaluation: [{ accuracy: 0.5 }] }),
    'status.json': JSON.stringify({
      ...{ process: 1, time: 1, seconds: 8.1, ended: true, paused: false, metrics: {}, edges: [] },
      live: { items: 0, bytes: 0, peakItems: 1, peakBytes: 1 },
      gauges: { 'gpu bytes': 5, 'gpu peak bytes': 7, 'gpu busy': 0.5 },
      progress: { done: 1, total: 1, of: 'questions' },
      nodes: [{ ...node, working: 0.2, blocked: 0.3, waiting: 0.5 }],
    }),
    'results.jsonl': lines([
      { id: 'q1', question: 'Which?\nA. red', options: ['red', 'blue'], outcome: 'right', output: 'I say A' },
    ]),
  })
  const view = await viewOf(t, { run })
  const { page, faults } = await openPage(browser, view.address)
  await page.locator('.facts').waitFor()
  const facts = await page.locator('.facts').innerText()
  t.match(facts, /questions\s+1 of 1\s+accuracy\s+50\.0 %\s+time\s+9 s\s+GPU peak/)
  t.notMatch(facts, /GPU busy|GPU memory|under way/)
  t.match(await page.locator('.legend').innerText(), /^The bar of a node divides the time until its end: /)
  await openTab(page, 'completions')
  const card = page.locator('.detail .group')
  t.match(await card.innerText(), /^Which\?\s+A\. red\s+blue\s+right\s+I say A/, 'no option is told twice')
  t.match(await page.locator('.browser').innerText(), /a right answer, +any other/)
  t.same(faults, [])
})

t.test('the marks below a curve of few updates are whole numbers', async t => {
  const run = t.testdir({
    'manifest.json': '{"graph":"g.json"}',
    'metrics.jsonl': lines([1, 2, 3].map(step => ({ step, reward: step }))),
  })
  const view = await viewOf(t, { run })
  const { page } = await openPage(browser, view.address)
  await page.locator('[data-curve="reward"] [data-marks]').waitFor({ state: 'attached' })
  t.equal(await page.locator('[data-curve="reward"] [data-marks]').getAttribute('data-marks'), '1 2 3')
})
