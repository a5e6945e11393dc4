// The editor of `flow view GRAPH` in Chromium: a graph is changed by hand and in its text, saved, and run.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBrowser, openPage } from '../../browser.ts'
import { repository } from '../../fixtures.ts'

t.setTimeout(800_000)
const browser = await openBrowser(t)

const plugin = `
export const api = 1
export const operators = {
  'my.count': {
    summary: 'Counts.', config: { count: { type: 'integer', minimum: 1, default: 3, description: 'How far.' } },
    inputs: {}, outputs: { items: 'number' },
    run: (_, { count }, context) => ({
      items: context.source(async function* () { for (let i = 0; i < count; i++) yield { key: String(i), value: i } }),
    }),
  },
  'my.learn': {
    summary: 'Records each item.', config: {}, inputs: { items: 'number' }, outputs: {}, effects: true,
    run: ({ items }, _, context) => ({
      done: items.pipe(context.each((value, { key }) => { context.record('metrics', { step: value + 1, reward: value, key }); return undefined })),
    }),
  },
}`

/** The order of keys and the spaces are somebody's own. */
const graph = `{ "version": 1, "plugins": ["./plugin.mjs"],
  "summary":   "Counts.",
  "nodes": {
    "numbers": { "config": { "count": 5 },   "operator": "my.count" }
  } }
`

/** The editor of `g.json` in a folder. */
async function openEditor(t: Test, folder: string) {
  const main = join(repository, 'dist/engine/cli/main.js')
  const view = spawn(process.execPath, [main, 'view', 'g.json', '--edit'], { cwd: folder })
  t.teardown(() => view.kill())
  const address = await new Promise<string>(done => view.stdout.on('data', text => done(String(text).trim())))
  const { page, faults } = await openPage(browser, address)
  return { page, faults, source: page.getByLabel('The graph as JSON') }
}

t.test(
  'a graph is edited, an error is seen where it stands and mended, and the saved graph runs',
  async t => {
    const folder = t.testdir({ 'g.json': graph, 'plugin.mjs': plugin })
    const file = join(folder, 'g.json')
    const { page, faults, source } = await openEditor(t, folder)
    await page
      .getByText('must be connected, or the node has no effect')
      .or(page.locator('.found'))
      .first()
      .waitFor()
    await page.getByLabel('Add a node').selectOption('my.learn')
    await page.locator('.found .error').waitFor()
    t.equal(
      await page.locator('.node.faulty').getAttribute('aria-label'),
      'Node learn',
      'the node that lacks an input',
    )
    const handle = await page.locator('[aria-label="Node numbers"] .handle').boundingBox()
    const target = await page.locator('[aria-label="Node learn"] rect').boundingBox()
    if (!handle || !target) throw new Error('nothing is drawn')
    await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2)
    await page.mouse.down()
    await page.mouse.move(target.x + target.width / 2, target.y + target.height / 2, { steps: 4 })
    await page.mouse.up()
    await page.getByText('No problem: the graph can run.').waitFor()
    t.match(
      await source.inputValue(),
      /"numbers": \{ "config": \{ "count": 5 \}, {3}"operator"/,
      'what was there is as it was',
    )
    t.match(JSON.parse(await source.inputValue()).nodes.learn, { from: { items: 'numbers.items' } })
    await page.locator('[aria-label="Node numbers"]').click()
    await page.getByLabel('count').fill('0')
    await page.getByLabel('count').press('Enter')
    await page.locator('.field .bad', { hasText: 'must be >= 1' }).waitFor()
    t.ok(await page.getByRole('button', { name: 'Run' }).isDisabled())
    await source.fill((await source.inputValue()).replace('"count": 0', '"count": 12'))
    await page.getByText('No problem: the graph can run.').waitFor()
    t.equal(await page.getByLabel('count').inputValue(), '12', 'the form shows what the text says')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Run' }).click({ timeout: 200_000 })
    t.match(readFileSync(file, 'utf8'), /"summary": {3}"Counts\.",/)
    await page.locator('.state.completed').waitFor({ timeout: 200_000 })
    await page.locator('[data-curve="reward"] [data-points="12"]').waitFor()
    t.equal(readdirSync(join(folder, 'runs')).length, 1)
    t.same(faults, [])
  },
)

t.test('a file that another program changed is not written over, and without --edit nothing is', async t => {
  const folder = t.testdir({ 'g.json': graph, 'plugin.mjs': plugin })
  const file = join(folder, 'g.json')
  const main = join(repository, 'dist/engine/cli/main.js')
  for (const flags of [['--edit'], []]) {
    const view = spawn(process.execPath, [main, 'view', 'g.json', ...flags], { cwd: folder })
    t.teardown(() => view.kill())
    const address = await new Promise<string>(done =>
      view.stdout.on('data', text => done(String(text).trim())),
    )
    const ask = (name: string, body: object) =>
      fetch(new URL(name, address), {
        method: 'POST',
        headers: { origin: new URL(address).origin },
        body: JSON.stringify(body),
      })
    writeFileSync(file, `${graph}\n`)
    const saved = await ask('save', { text: '{}', before: graph })
    t.equal(saved.status, flags.length > 0 ? 400 : 403)
    t.equal(readFileSync(file, 'utf8'), `${graph}\n`)
    if (flags.length > 0) continue
    t.equal((await ask('run', {})).status, 403)
    t.notOk(existsSync(join(folder, 'runs')))
  }
})

t.test(
  'inherited nodes are drawn and said to be so, and a change to one is written into the file',
  async t => {
    const base = JSON.parse(graph)
    base.nodes.learn = { operator: 'my.learn', from: { items: 'numbers.items' } }
    const own = {
      extends: 'base.json',
      nodes: { again: { operator: 'my.learn', from: { items: 'numbers.items' } } },
    }
    const text = JSON.stringify(own, null, 2)
    const folder = t.testdir({ 'g.json': text, 'base.json': JSON.stringify(base), 'plugin.mjs': plugin })
    const { page, faults, source } = await openEditor(t, folder)
    await page.getByText('No problem: the graph can run.').waitFor()
    await page.getByText('extends base.json: 2 of 3 nodes are inherited').waitFor()
    t.same(
      await page
        .locator('.node.inherited')
        .evaluateAll(all => all.map(one => one.getAttribute('aria-label'))),
      ['Node numbers', 'Node learn'],
    )
    t.equal(await page.locator('path.arrow[role="button"]').count(), 2, 'the edges of both graphs')
    await page.locator('[aria-label="Node numbers"]').press('Delete')
    t.equal(await source.inputValue(), text, 'what stands elsewhere cannot be taken away here')
    await page.locator('[aria-label="Node numbers"]').click()
    t.equal(await page.getByLabel('count').inputValue(), '5')
    await page.getByLabel('count').fill('7')
    await page.getByLabel('count').press('Enter')
    await page.getByText('extends base.json: 1 of 3 nodes are inherited').waitFor()
    t.same(JSON.parse(await source.inputValue()), {
      ...own,
      nodes: { ...own.nodes, numbers: { config: { count: 7 } } },
    })
    t.equal(await page.getByLabel('count').inputValue(), '7')
    t.same(faults, [])
  },
)
