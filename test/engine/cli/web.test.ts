// What `npm run web` builds, in Chromium: a model answers about a clip, and the demonstration trains as in Node.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { rowsOf, trainInTab } from '../../../engine/cli/web/tab-run.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import { drawClip } from '../../../operators/shapes/clips.ts'
import { openBrowser, openPage, serve, softwareGpu } from '../../browser.ts'
import { repository } from '../../fixtures.ts'
import { hubServer } from '../../operators/hub/hub-server.ts'

t.setTimeout(800_000)

const site = join(repository, 'dist/web')
const built = spawnSync(process.execPath, ['engine/cli/set-up/web.mjs'], { cwd: repository })
t.equal(built.status, 0, String(built.stderr))
const address = await serve(t, site)
const browser = await openBrowser(t, softwareGpu)
const elsewhere = (asked: readonly string[]) =>
  asked.filter(url => !url.startsWith(`${address}/`) && !/^(data|blob):/.test(url))

t.test('a clip is dropped, a question asked, and the right answer read', async t => {
  const { page, asked, faults } = await openPage(browser, `${address}/ask.html`)
  const rows = readFileSync(join(site, 'clips.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  // the embedded model sees what moves where; which letter that is, it has hardly learned: this is one that it knows
  const row = rows[2]
  const bytes = readFileSync(join(site, row.video_filename)).toString('base64')
  const transfer = await page.evaluateHandle(
    `(() => {
      const bytes = Uint8Array.from(atob(${JSON.stringify(bytes)}), one => one.charCodeAt(0))
      const transfer = new DataTransfer()
      transfer.items.add(new File([bytes], 'mine.mp4', { type: 'video/mp4' }))
      return transfer
    })()`,
  )
  await page.locator('.drop').dispatchEvent('drop', { dataTransfer: transfer })
  await page.getByText('mine.mp4').waitFor({ timeout: 400_000 })
  await page.getByLabel('2. Question').fill(row.problem)
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText(/\d+ tokens in/).waitFor({ timeout: 400_000 })
  t.equal(await page.locator('.answer').textContent(), row.solution.replaceAll(/<\/?answer>/g, '').trim())
  t.equal(await page.locator('.thought').textContent(), 'The green square moves up in the video.')
  t.ok(await page.getByAltText('The frames that the model saw').isVisible())

  // one of the page's own clips, with the model that is loaded
  await page.locator('.own button').nth(1).click()
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText(/The right answer is B\./).waitFor({ timeout: 400_000 })
  t.equal(await page.locator('.thought').textContent(), 'The purple square moves right in the video.')

  // a clip that no browser decodes: said in words, and the model stays
  await page
    .getByLabel('Choose a clip')
    .setInputFiles({ name: 'bad.mp4', mimeType: 'video/mp4', buffer: Buffer.from('no clip') })
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByRole('alert').getByText('bad.mp4: must be MP4').waitFor({ timeout: 400_000 })
  t.same(elsewhere(asked), [])
  t.same(faults, [])
})

t.test('a model of the hub is kept by the browser, and one of a folder is read where it lies', async t => {
  const folder = join(repository, 'operators/shapes/cold-start')
  const files = Object.fromEntries(readdirSync(folder).map(name => [name, readFileSync(join(folder, name))]))
  const hub = await hubServer({ 'models/me/small': files })
  hub.fault = (request, response) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', '*')
    if (request.method !== 'OPTIONS') return false
    response.end()
    return true
  }
  const { page } = await openPage(browser, `${address}/ask.html?hub=${hub.url}`)
  const asks = async () => {
    await page.locator('.own button').nth(2).click()
    await page.getByRole('button', { name: 'Ask' }).click()
    await page.getByText(/\d+ tokens in/).waitFor({ timeout: 400_000 })
    t.match(await page.locator('.thought').textContent(), /moves up in the video\./)
  }
  const takes = async () => {
    await page.getByLabel('A model of the Hugging Face hub').fill('me/small')
    await page.getByRole('button', { name: 'Take it' }).click()
  }
  await takes()
  await asks()
  t.equal(hub.requests.filter(({ path }) => path.endsWith('model.safetensors')).length, 1)
  await hub.close()
  await page.reload()
  await takes()
  await asks()

  await page.getByLabel('A checkpoint folder on this machine').setInputFiles(folder)
  await page.getByText('3. Model: the folder cold-start').waitFor({ timeout: 400_000 })
  await asks()
})

t.test('a browser without a GPU says so', async t => {
  const { page } = await openPage(
    await openBrowser(t, ['--disable-gpu', '--disable-features=WebGPU']),
    `${address}/ask.html`,
  )
  await page
    .getByRole('alert')
    .getByText(/WebGPU/)
    .waitFor({ timeout: 400_000 })
  t.ok(await page.getByRole('button', { name: 'Ask' }).isDisabled())
})

t.test('five updates in a tab have the rewards of Node with the same seed, and nothing leaks', async t => {
  const { page, asked, faults } = await openPage(browser, `${address}/train.html?steps=5&group=4&seed=3`)
  await page.waitForFunction('globalThis.over', null, { timeout: 400_000 })
  const over: { status: string; leaked: number; error?: string; metrics: string } =
    await page.evaluate('over')
  t.match(over, { status: 'completed', leaked: 0 })
  await page.locator('[data-curve="reward"] [data-points="5"]').waitFor({ timeout: 400_000 })
  await page.locator('g.node[aria-label^="update"]').waitFor({ timeout: 400_000 })
  t.same(elsewhere(asked), [])
  t.same(faults, [])

  const flow = { operator, operators, resources, loadGraph, startRun, drawClip }
  const folder = t.testdir()
  const data = join(folder, 'train.jsonl')
  writeFileSync(data, rowsOf(flow))
  const directory = join(folder, 'run')
  mkdirSync(directory)
  const files = { graph: join(repository, 'graphs/grpo.json'), model: 'builtin:cold-start', data, directory }
  const { status } = await trainInTab(flow, { ...files, steps: 5, group: 4, seed: 3, sheets: false }).done
  t.equal(status, 'completed')
  const rewards = (text: string) =>
    text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).reward)
  t.same(rewards(over.metrics), rewards(readFileSync(join(directory, 'metrics.jsonl'), 'utf8')))
})
