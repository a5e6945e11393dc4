// The TypeScript build: dist/, made again when a source file changed.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { browser } from './browser.mjs'
import { failure } from './machine.mjs'
import { page } from './page.mjs'
import { vendor } from './vendor.mjs'

const folders = ['engine', 'operators', 'kernels', 'test']

export async function build(machine) {
  const { root } = machine
  // An installed package carries dist and no sources.
  if (!machine.exists(join(root, 'tsconfig.json'))) return
  vendor(root)
  const stamp = join(root, 'dist/.built')
  const print = fingerprint(root)
  if (machine.exists(stamp) && readFileSync(stamp, 'utf8') === print) return
  machine.say('compiling TypeScript (tsc)')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const result = await machine.run(process.execPath, [compiler, '-p', 'tsconfig.json'], {
    cwd: root,
    deadlineSeconds: 600,
  })
  if (result.status !== 0) throw failure('tsc found errors', result)
  await page(root)
  await browser(root)
  removeStale(root)
  await machine.write(stamp, print)
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
