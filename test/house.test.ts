import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { repository } from './fixtures.ts'
import { checkedFolders, faultsOfTree, uncheckedAccesses } from './house.ts'

t.setTimeout(800_000)

/** A folder with these files. */
function tree(test: Pick<typeof t, 'teardown'>, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'flow-house-'))
  test.teardown(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

/** Imports other files and exports a name. */
const file = (...imports: readonly string[]): string =>
  [...imports.map(path => `import '${path}'`), 'export const a = 1', ''].join('\n')

t.test('the repository keeps its rules', async t => {
  t.same(faultsOfTree(repository), [])
})

t.test('the repository checks every access to an element', { timeout: 800_000 }, async t => {
  t.same(uncheckedAccesses(repository, checkedFolders), [])
})

t.test('a tree that keeps the rules has no faults', async t => {
  const root = tree(t, {
    'engine/shared/hash.ts': file(),
    'engine/run/run.ts': file('../shared/hash.ts'),
    'engine/cli/verbs/run.ts': file('../../../operators/read/rows.ts', '../../run/run.ts'),
    'operators/read/rows.ts': file('../../engine/run/run.ts', '../../kernels/plan/plan.ts'),
    'kernels/plan/plan.ts': file(),
  })
  t.same(faultsOfTree(root), [])
})

t.test('files that import each other are a circle, even by types alone', async t => {
  const root = tree(t, {
    'kernels/a.ts': "import type { B } from './b.ts'\nexport type A = B\n",
    'kernels/b.ts': file('./c.ts'),
    'kernels/c.ts': "export * from './a.ts'\n",
    'kernels/d.ts': file('./a.ts'),
  })
  t.same(faultsOfTree(root), [
    { rule: 'import circle', where: 'kernels/a.ts <-> kernels/b.ts <-> kernels/c.ts' },
  ])
})

t.test('an import in the wrong direction names both files', async t => {
  const root = tree(t, {
    'engine/run/run.ts': file('../../operators/index.ts'),
    'engine/shared/hash.ts': file('../graph/plan.ts'),
    'engine/graph/plan.ts': file(),
    'engine/cli/verbs/run.ts': file('./top.ts'),
    'engine/cli/verbs/top.ts': file(),
    'kernels/plan.ts': file('../engine/graph/plan.ts'),
    'operators/index.ts': file(),
  })
  const rule = 'import in the wrong direction'
  t.same(faultsOfTree(root), [
    { rule, where: 'engine/cli/verbs/run.ts imports engine/cli/verbs/top.ts' },
    { rule, where: 'engine/run/run.ts imports operators/index.ts' },
    { rule, where: 'engine/shared/hash.ts imports engine/graph/plan.ts' },
    { rule, where: 'kernels/plan.ts imports engine/graph/plan.ts' },
  ])
})

t.test('what a browser tab runs imports no module of Node, but for types', async t => {
  const browser = './dist/engine/platform/browser.js'
  const root = tree(t, {
    'package.json': JSON.stringify({ imports: { '#platform': { browser, default: './x.js' } } }),
    'operators/browser.ts':
      "import '#platform'\nimport type { Far } from './far.ts'\nimport { near } from './near.ts'\n",
    'operators/near.ts':
      "import { type Stats } from 'node:fs'\nexport { join } from 'node:path'\nexport const near = 1\n",
    'operators/far.ts': file('node:fs'),
    'engine/platform/browser.ts': file('node:os'),
  })
  const rule = 'a module of Node in what a browser tab runs'
  t.same(faultsOfTree(root), [
    { rule, where: 'engine/platform/browser.ts imports node:os' },
    { rule, where: 'operators/near.ts imports node:path' },
  ])
})

t.test('folders of operators that import each other through different files are a loop', async t => {
  const root = tree(t, {
    'operators/eval/a.ts': file('../read/b.ts'),
    'operators/read/b.ts': file(),
    'operators/read/c.ts': file('../eval/d.ts'),
    'operators/eval/d.ts': file(),
  })
  t.same(faultsOfTree(root), [
    { rule: 'folders of operators in a loop', where: 'operators/eval <-> operators/read' },
  ])
})

t.test('a file, a function and a preset have a longest length', async t => {
  const lines = (count: number) => 'void 0\n'.repeat(count)
  const long = `const f = () => {\n${lines(99)}}\n`
  const root = tree(t, {
    'engine/a.ts': lines(300),
    'engine/b.ts': lines(301),
    'test/c.ts': long.replace('void 0\n', ''),
    'test/d.ts': `\n${long}`,
    'graphs/presets/e.json': lines(40),
    'graphs/presets/f.json': lines(41),
  })
  t.same(faultsOfTree(root), [
    { rule: 'file over 300 lines', where: 'engine/b.ts: 301' },
    { rule: 'function over 100 lines', where: 'test/d.ts:2: 101' },
    { rule: 'preset over 40 lines', where: 'graphs/presets/f.json: 41' },
  ])
})

t.test('an element that may be missing must be checked in engine/ and operators/ alone', async t => {
  const access = 'const list: number[] = []\nexport const first: number = list[0]\n'
  const root = tree(t, {
    'tsconfig.json': JSON.stringify({ compilerOptions: { strict: true, types: [], module: 'nodenext' } }),
    'engine/a.ts': access,
    'operators/b.ts': `${access}export const second: number = list[1] ?? 0\n`,
    'kernels/c.ts': access,
  })
  t.same(
    uncheckedAccesses(root, ['engine', 'operators']).map(({ where }) => where.split(': ')[0]),
    ['engine/a.ts:2', 'operators/b.ts:2'],
  )
})
