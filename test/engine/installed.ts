// The package as it is installed: packed, in a folder of its own, with plugins beside it.
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'

// outside the tree, so that nothing of it is found but what the package holds
export const home = mkdtempSync(join(tmpdir(), 'flow-plugins-'))
t.teardown(() => rmSync(home, { recursive: true, force: true }))
install()
export const flow = join(home, 'node_modules/@flow-graphs/flow/dist/engine/cli/main.js')

/** Runs Node in the folder of the plugins. */
export const node = (...words: string[]) => nodeIn(home, ...words)

export function nodeIn(cwd: string, ...words: string[]) {
  const FLOW_CACHE = process.env.FLOW_CACHE ?? join(repository, '.cache/flow')
  const { NODE_OPTIONS: _, ...environment } = process.env
  const run = spawnSync(process.execPath, words, {
    cwd,
    encoding: 'utf8',
    env: { ...environment, FLOW_CACHE },
    timeout: 600_000,
  })
  return { code: run.status, out: run.stdout, complaints: run.stderr }
}

export const graphOf = (plugins: readonly string[], nodes: object, rest: object = {}) =>
  JSON.stringify({ version: 1, summary: 'A test.', plugins, ...rest, nodes })

export function write(file: string, text: string): void {
  mkdirSync(dirname(join(home, file)), { recursive: true })
  writeFileSync(join(home, file), text)
}

export function lines(file: string) {
  const text = readFileSync(join(home, file), 'utf8').trim()
  return text.split('\n').map(line => JSON.parse(line))
}

/** The package as `npm pack` makes it, next to its dependencies. */
function install(): void {
  spawnSync(process.execPath, ['engine/cli/set-up/vendor.mjs'], { cwd: repository })
  const packed = spawnSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', home], {
    cwd: repository,
    encoding: 'utf8',
  })
  const archive = readdirSync(home).find(name => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm pack made nothing: ${packed.stderr}`)
  const place = join(home, 'node_modules/@flow-graphs/flow')
  mkdirSync(place, { recursive: true })
  spawnSync('tar', ['-xzf', join(home, archive), '-C', place, '--strip-components', '1'])
  const { dependencies } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true })
    symlinkSync(join(repository, 'node_modules', name), join(home, 'node_modules', name))
  }
  write('package.json', '{ "type": "module" }')
}
