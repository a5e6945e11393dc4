import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { command } from '../../../engine/cli/command.ts'

const repository = fileURLToPath(new URL('../../../../', import.meta.url))
const home = process.cwd()
// Not in the repository, which would be the checkout of every folder in it.
const scratch = mkdtempSync(join(tmpdir(), 'new-kernel-'))
t.teardown(() => rmSync(scratch, { recursive: true }))
const newFolder = () => mkdtempSync(join(scratch, 'folder-'))

/** `flow new kernel` in a folder. */
async function call(folder: string, ...words: readonly string[]) {
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  process.chdir(folder)
  try {
    const code = await command(['new', 'kernel', ...words], {
      registry: { operators: {}, resources: {} },
      environment: {},
      screen: { write: () => true },
      print,
      prepare: async () => {},
      complain: print,
    })
    return { code, text: lines.join('\n') }
  } finally {
    process.chdir(home)
  }
}

/** A checkout of flow whose folders are links, but for those that get the new files. */
function checkout(folder: string): string {
  for (const at of ['kernels/rows', 'test/kernels/rows']) mkdirSync(join(folder, at), { recursive: true })
  const links = ['kernels/device', 'kernels/plan', 'kernels/wgsl', 'test/golden', 'node_modules']
  for (const at of [...links, 'test/kernels/support.ts', 'test/kernels/null-device.ts'])
    symlinkSync(join(repository, at), join(folder, at))
  copyFileSync(join(repository, 'package.json'), join(folder, 'package.json'))
  const { vcs: _, ...biome } = JSON.parse(readFileSync(join(repository, 'biome.json'), 'utf8'))
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(biome))
  return folder
}

t.test('in a checkout a kernel is written into its room, formatted and without type errors', async t => {
  const folder = checkout(newFolder())
  const { code, text } = await call(join(folder, 'test'), 'leaky-relu', '--room', 'rows')
  t.equal(code, 0, text)
  t.match(text, /wrote \.\.\/kernels\/rows\/leaky-relu\.ts/)
  t.match(
    text,
    /test it: cd \.\. && npx tsc -p tsconfig\.json && node dist\/test\/run\.js kernels\/rows\/leaky-relu$/,
  )
  t.equal(faultsOf(folder, ['kernels/rows/leaky-relu.ts', 'test/kernels/rows/leaky-relu.test.ts']), '')
  const again = await call(folder, 'leaky-relu', '--room', 'rows')
  t.equal(again.code, 2)
  t.match(again.text, /leaky-relu\.ts: must not be there yet/)
})

t.test('a long name is broken over lines as the formatter breaks it', async t => {
  const folder = checkout(newFolder())
  const name = 'thirty-letters-of-a-long-name'
  const { code, text } = await call(folder, name, '--room', 'rows')
  t.equal(code, 0, text)
  t.equal(faultsOf(folder, [`kernels/rows/${name}.ts`, `test/kernels/rows/${name}.test.ts`]), '')
})

for (const [where, within] of [
  ['outside a checkout', () => newFolder()],
  ['in a folder of a checkout', () => join(checkout(newFolder()), 'test')],
] as const)
  t.test(`${where} a module and its test are written into the working directory`, async t => {
    const folder = within()
    const { code, text } = await call(folder, 'leaky-relu')
    t.equal(code, 0, text)
    t.match(text, /^wrote leaky-relu\.mjs\nwrote leaky-relu\.test\.mjs\n/)
    t.match(text, /test it: node --import \S+register\.js --test leaky-relu\.test\.mjs/)
    t.match(readFileSync(join(folder, 'leaky-relu.mjs'), 'utf8'), /from '@flow-graphs\/flow\/kernels'/)
    t.ok(existsSync(join(folder, 'leaky-relu.test.mjs')))
  })

for (const [words, complaint] of [
  [['a-name-of-thirty-one-characters'], /must be a kernel's name: at most 30/],
  [['Leaky.Relu'], /Leaky\.Relu: must be a kernel's name/],
  [['new'], /new: must be another name/],
  [['spread'], /spread: must be another name/],
  [['leaky-relu', '--room', 'rows'], /--room: is for kernels of flow itself/],
] as const)
  t.test(`"${words.join(' ')}" outside a checkout is refused`, async t => {
    const { code, text } = await call(newFolder(), ...words)
    t.equal(code, 2)
    t.match(text, complaint)
  })

t.test('a room that is not there is refused with the rooms that are', async t => {
  const folder = checkout(newFolder())
  const { code, text } = await call(folder, 'leaky-relu', '--room', 'attic')
  t.equal(code, 2)
  t.match(text, /--room: must be a folder of kernels\/ \(.*rows.*\), found attic/)
})

/** Complaints of the formatter, the linter and the compiler about files of a checkout. */
function faultsOf(folder: string, paths: readonly string[]): string {
  const files = paths.map(path => join(folder, path))
  const biome = join(repository, 'node_modules/.bin/biome')
  const { status, stdout, stderr } = spawnSync(biome, ['check', ...files], { cwd: folder, encoding: 'utf8' })
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, repository)
  const program = ts.createProgram(files, {
    ...options,
    noEmit: true,
    incremental: false,
    preserveSymlinks: true,
    rootDir: folder,
    outDir: join(folder, 'dist'),
  })
  const messages = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  return [status === 0 ? '' : stdout + stderr, ...messages].join('\n')
}
