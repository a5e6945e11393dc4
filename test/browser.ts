import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { inside } from '../engine/shared/inside.ts'
import { repository } from './fixtures.ts'

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

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** Serves a folder of static files, as any server would, and returns its address. */
export async function serve(t: Test, folder: string): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://localhost')
    const path = inside(folder, pathname === '/' ? 'index.html' : decodeURIComponent(pathname.slice(1)))
    response.writeHead(existsSync(path) ? 200 : 404, {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
    })
    response.end(existsSync(path) ? readFileSync(path) : '')
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

/**
 * What somebody does who has installed flow and writes a page: esbuild bundles `code`, with no settings but that the result is a
 * module. Returns the folder of the page.
 */
export async function strangersPage(t: Test, code: string): Promise<string> {
  const folder = t.testdir({ 'page.js': code, site: {} })
  mkdirSync(join(folder, 'node_modules/@flow-graphs'), { recursive: true })
  symlinkSync(repository, join(folder, 'node_modules/@flow-graphs/flow'))
  const site = join(folder, 'site')
  await build({
    entryPoints: [join(folder, 'page.js')],
    bundle: true,
    format: 'esm',
    outfile: join(site, 'page.js'),
  })
  writeFileSync(
    join(site, 'index.html'),
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="page.js"></script>',
  )
  return site
}
