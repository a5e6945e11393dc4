import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** WebGPU in software: Chromium's own Vulkan driver. */
export const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
]

/** The browser on this machine. */
export function executable(): string {
  const found = process.env.FLOW_CHROMIUM ?? places.find(existsSync)
  if (found !== undefined) return found
  throw new Error('pages need Chromium: "apt-get install chromium", or FLOW_CHROMIUM=PATH names one')
}

/** A browser for the length of a test file. */
export async function openBrowser(t: Test, flags: readonly string[] = []): Promise<Browser> {
  const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync']
  const browser = await chromium.launch({
    executablePath: executable(),
    args: ['--no-sandbox', ...quiet, '--disable-component-update', ...flags],
  })
  t.teardown(() => browser.close())
  return browser
}

/** A page, and what it asked for or complained about. */
export async function openPage(browser: Browser, address: string, options: { width?: number } = {}) {
  const page: Page = await browser.newPage({ viewport: { width: options.width ?? 1280, height: 900 } })
  const asked: string[] = []
  const faults: string[] = []
  page.on('request', request => asked.push(request.url()))
  page.on('pageerror', error => faults.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('dialog', dialog => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.setDefaultTimeout(120_000) // a busy machine is slow, not wrong
  await page.goto(address)
  return { page, asked, faults }
}

/** Shows a part of the page of a run. */
export const openTab = (page: Page, name: string): Promise<unknown> =>
  page.evaluate(`location.hash = ${JSON.stringify(name)}`)
