// The page of `flow run --view` in Chromium, while the embedded model learns.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openBrowser, openPage, openTab } from '../../browser.ts'
import { repository } from '../../fixtures.ts'

t.setTimeout(800_000)
const browser = await openBrowser(t)

t.test(
  'a run of the embedded model is watched, tapped, paused, continued and stopped from its page',
  async t => {
    const folder = join(t.testdir(), 'run')
    const main = join(repository, 'dist/engine/cli/main.js')
    const settings = [
      'model=builtin:cold-start',
      // it goes on until it is told to stop, however fast the machine is
      'steps=100000',
      'epochs=0',
      'group=4',
      'nodes.update.config.recordTokens=true',
    ]
    const words = [
      'run',
      'graphs/grpo.json',
      ...settings.flatMap(one => ['--set', one]),
      '--out',
      folder,
      '--view',
      '--control',
    ]
    const run = spawn(process.execPath, [main, ...words], { cwd: repository })
    const over = new Promise<number | null>(done => run.on('exit', done))
    t.teardown(() => run.kill('SIGKILL'))
    const address = await new Promise<string>((done, fail) => {
      let output = ''
      run.stdout.on('data', text => {
        output += text
        const [found] = /http:\S+/.exec(output) ?? []
        if (found) done(found)
      })
      run.on('exit', () => fail(new Error(output)))
    })
    // one page hangs for ever, in a dialog that nobody answers, and one leaves at once: the run goes on
    const hung = await browser.newPage()
    hung.on('dialog', () => {})
    await hung.goto(address)
    void hung.evaluate("alert('hangs')").catch(() => {})
    const { page: gone } = await openPage(browser, address)
    await gone.close()
    const { page, faults } = await openPage(browser, address)
    const updates = () => readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n').length - 1
    const few = ['0', '1', '2'].map(count => `:not([data-points="${count}"])`).join('')
    await page.locator(`[data-curve="reward"] [data-points]${few}`).waitFor({ timeout: 400_000 })
    await page.locator('g.node[aria-label^="update"]').click()
    await page.getByText('Updates the policy with the gradient').waitFor()
    await page.getByRole('button', { name: 'see items' }).click()
    await page.locator('.item pre').first().waitFor({ timeout: 200_000 })
    t.ok(await page.locator('.item img').first().isVisible(), 'the frames that the item is about')
    await page
      .locator('.tensors td', { hasText: /^f(32|16)\[/ })
      .first()
      .waitFor({ timeout: 400_000 })
    await openTab(page, 'completions')
    await page.getByLabel('Colour of tokens').selectOption('kl')
    t.ok((await page.locator('.token').count()) > 20)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.state.paused').waitFor({ timeout: 200_000 })
    const paused = updates()
    await new Promise(done => setTimeout(done, 4000))
    t.ok(updates() <= paused + 1, 'work that had begun ends, nothing else begins')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.locator('.state.running').waitFor({ timeout: 200_000 })
    const before = updates()
    while (run.exitCode === null && updates() < before + 2) await new Promise(done => setTimeout(done, 200))
    await page.getByRole('button', { name: 'Checkpoint now' }).click()
    const log = () => readFileSync(join(folder, 'log.txt'), 'utf8')
    while (run.exitCode === null && !/checkpoint 0/.test(log()))
      await new Promise(done => setTimeout(done, 200))
    await page.getByRole('button', { name: 'Stop' }).click()
    t.equal(await over, 130, 'it stopped as by a signal')
    t.ok(existsSync(join(folder, 'checkpoints/last')))
    t.match(readFileSync(join(folder, 'manifest.json'), 'utf8'), '"status": "stopped"')
    t.same(
      faults.filter(fault => !fault.includes('ERR_')),
      [],
    )
  },
)
