// Takes the pictures of the README: npm run pictures -- RUN. Needs Chromium and ffmpeg.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { openView } from '../engine/view/server.ts'
import { executable, openTab } from './browser.ts'
import { repository } from './fixtures.ts'

const [run] = process.argv.slice(2)
if (run === undefined) throw new Error('npm run pictures -- RUN: must name the folder of a run')

const pictures = [
  { name: 'overview', tab: 'overview', width: 1280, height: 1560, colorScheme: 'light', node: 'again' },
  { name: 'completions-dark', tab: 'completions', width: 1280, height: 1000, colorScheme: 'dark' },
  { name: 'telephone', tab: 'overview', width: 390, height: 1060, colorScheme: 'light' },
  { name: 'telephone-dark', tab: 'completions', width: 390, height: 1300, colorScheme: 'dark' },
] as const

const view = await openView({
  host: '127.0.0.1',
  port: 0,
  control: false,
  runs: () => new Map([['runs/demo', run]]),
  shown: () => ['runs/demo'],
})
const browser = await chromium.launch({
  executablePath: executable(),
  args: ['--no-sandbox', '--disable-gpu'],
})
const folder = mkdtempSync(join(tmpdir(), 'pictures-'))
for (const { name, tab, width, height, colorScheme, ...more } of pictures) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme })
  await page.goto(view.address)
  await openTab(page, tab)
  await page.waitForTimeout(2000)
  if ('node' in more) await page.locator(`g.node[aria-label^="${more.node}"]`).click()
  if (tab === 'completions') await page.getByLabel('Show').selectOption('different rewards')
  const colour = page.getByLabel('Colour of tokens')
  if (tab === 'completions' && (await colour.count()) > 0) await colour.selectOption('logProbabilities')
  await page.evaluate('scrollTo(0, 0)')
  await page.waitForTimeout(500)
  const shot = join(folder, `${name}.png`)
  await page.screenshot({ path: shot })
  const picture = join(repository, 'engine/view/pictures', `${name}.webp`)
  const { status, stderr } = spawnSync('ffmpeg', ['-y', '-i', shot, '-quality', '70', picture])
  if (status !== 0) throw new Error(String(stderr))
  console.log(picture)
}
rmSync(folder, { recursive: true })
await browser.close()
view.close()
