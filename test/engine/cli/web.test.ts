// The demonstration in a browser tab: what `npm run web` builds trains in Chromium as in Node.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import t from 'tap'
import { rows, trainInTab } from '../../../engine/cli/web/tab-run.ts'
import { inside } from '../../../engine/shared/inside.ts'
import { openBrowser, openPage, softwareGpu } from '../../browser.ts'
import { repository } from '../../fixtures.ts'

t.setTimeout(800_000)

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** Any server of static files will do. */
const server = createServer(({ url = '' }, response) => {
  const { pathname } = new URL(url, 'http://localhost')
  const name = pathname === '/' ? 'index.html' : pathname.slice(1)
  response.setHeader('content-type', types[extname(name)] ?? 'application/octet-stream')
  response.end(readFileSync(inside(join(repository, 'dist/web'), name)))
})

t.test('five updates in a tab have the rewards of Node with the same seed, and nothing leaks', async t => {
  const built = spawnSync(process.execPath, ['engine/cli/set-up/web.mjs'], { cwd: repository })
  t.equal(built.status, 0, String(built.stderr))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const browser = await openBrowser(t, softwareGpu)
  const { page, asked, faults } = await openPage(browser, `http://127.0.0.1:${port}/?steps=5&group=4&seed=3`)
  await page.waitForFunction('globalThis.over', null, { timeout: 400_000 })
  const over: { status: string; leaked: number; error?: string; metrics: string } =
    await page.evaluate('over')
  t.match(over, { status: 'completed', leaked: 0 })
  await page.locator('[data-curve="reward"] [data-points="5"]').waitFor()
  await page.locator('g.node[aria-label^="update"]').waitFor()
  t.same(
    asked.filter(url => !url.startsWith(`http://127.0.0.1:${port}/`) && !url.startsWith('data:')),
    [],
  )
  t.same(faults, [])

  const folder = t.testdir()
  const data = join(folder, 'train.jsonl')
  writeFileSync(data, rows)
  const directory = join(folder, 'run')
  mkdirSync(directory)
  const files = { graph: join(repository, 'graphs/grpo.json'), model: 'builtin:cold-start', data, directory }
  const { status } = await trainInTab({ ...files, steps: 5, group: 4, seed: 3 }).done
  t.equal(status, 'completed')
  const rewards = (text: string) =>
    text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).reward)
  t.same(rewards(over.metrics), rewards(readFileSync(join(directory, 'metrics.jsonl'), 'utf8')))
})
