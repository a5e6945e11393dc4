// The TypeScript build: dist/, made again when a source file changed.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { browser } from './browser.mjs'
import { failure, SetUpError } from './machine.mjs'
import { page } from './page.mjs'
import { transpile } from './transpile.mjs'
import { vendor } from './vendor.mjs'

/** What runs, and what tests it. */
const program = ['engine', 'operators', 'kernels']
const folders = [...program, 'test']

/** With `quick`, what runs and the page of reports alone: neither types nor tests nor flow/browser. */
export async function build(machine, { quick = false } = {}) {
  const { root } = machine
  // An installed package carries dist and no sources.
  if (!machine.exists(join(root, 'tsconfig.json'))) return
  vendor(root)
  const stamp = join(root, 'dist/.built')
  const whole = fingerprint(root)
  const wanted = quick ? `quick ${whole}` : whole
  const made = machine.exists(stamp) ? readFileSync(stamp, 'utf8') : undefined
  if (made === whole || made === wanted) return
  if (quick) await compileQuickly(machine)
  else await compile(machine)
  await page(root)
  if (!quick) await browser(root)
  removeStale(root)
  await machine.write(stamp, wanted)
}

async function compile(machine) {
  machine.say('compiling TypeScript (tsc)')
  const { root } = machine
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const result = await machine.run(process.execPath, [compiler, '-p', 'tsconfig.json'], {
    cwd: root,
    deadlineSeconds: 600,
  })
  if (result.status !== 0) throw failure('tsc found errors', result)
}

async function compileQuickly(machine) {
  machine.say('compiling TypeScript (esbuild; npm run build also checks types and writes declarations)')
  const sources = program.flatMap(folder => list(machine.root, folder))
  await transpile(machine.root, sources).catch(error => {
    throw new SetUpError(error.message)
  })
}

/** Changes when any source, or what compiles it, changes. */
export function fingerprint(root) {
  const hash = createHash('sha256')
  const sources = folders.flatMap(folder => list(root, folder))
  for (const path of ['tsconfig.json', 'package-lock.json', ...sources]) {
    if (!existsSync(join(root, path))) continue
    const { size, mtimeMs } = statSync(join(root, path))
    hash.update(`${path} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/** Removes what was compiled from sources that are gone: an old test would still run. */
export function removeStale(root) {
  for (const path of folders.flatMap(folder => list(root, join('dist', folder)))) {
    const source = path.slice('dist/'.length).replace(/(\.d\.ts|\.js)$/, '.ts')
    if (source.endsWith('.ts') && !existsSync(join(root, source))) rmSync(join(root, path))
  }
}

function list(root, folder) {
  if (!existsSync(join(root, folder))) return []
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries
    .flatMap(entry => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return entry.name === 'fixtures' ? [] : list(root, path)
      return /\.(tsx?|js|css|html)$/.test(entry.name) ? [path] : []
    })
    .sort()
}
