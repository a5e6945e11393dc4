import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder, notAFile } from '../../../engine/shared/files.ts'
import { repository } from '../../fixtures.ts'

t.test('a folder is made with those above it, through links, and again', async t => {
  const root = t.testdir({ there: {} })
  symlinkSync(join(root, 'there'), join(root, 'link'))
  for (const name of ['a/b/c', 'link/d/e', 'there']) {
    makeFolder(join(root, name))
    makeFolder(join(root, name))
    t.ok(existsSync(join(root, name)), name)
  }
})

t.test(
  'a folder that cannot be made is an error that names it and says why',
  { timeout: 10_000 },
  async t => {
    const root = t.testdir({ file: 'text' })
    symlinkSync('self', join(root, 'self'))
    const cases = {
      '/proc/flow-test/a':
        /proc.*: must be a folder that can be made: this file system lets no folder be made there/,
      [join(root, 'file')]: /file: must be a folder, found a file$/,
      [join(root, 'file', 'a')]: /file\/a: must be a folder.*a file, not a folder/,
      [join(root, 'self')]: /self: must be a folder.*links lead in a circle/,
      '/dev/null': /dev\/null: must be a folder, found a device$/,
    }
    for (const [path, message] of Object.entries(cases)) t.throws(() => makeFolder(path), { message }, path)
  },
)

t.test(
  'a pipe and a device are no files, and a folder and a missing file are left to their reader',
  async t => {
    const root = t.testdir({ file: 'text', folder: {} })
    execFileSync('mkfifo', [join(root, 'pipe')])
    t.match(notAFile(join(root, 'pipe')), /pipe: must be a file, found a pipe$/)
    t.match(notAFile('/dev/zero'), /found a device$/)
    for (const name of ['file', 'folder', 'none']) t.equal(notAFile(join(root, name)), undefined, name)
  },
)

t.test('no code of flow makes folders with the option of Node that may never return', async t => {
  const found = ['engine', 'operators'].flatMap(place =>
    readdirSync(join(repository, place), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.includes('generate/'))
      .filter(name =>
        /mkdir(Sync)?\([^)]*recursive/.test(readFileSync(join(repository, place, name), 'utf8')),
      ),
  )
  t.same(found, [])
})

t.test('the scan would find such a call', async t => {
  const root = t.testdir({})
  mkdirSync(join(root, 'x'), { recursive: true })
  writeFileSync(join(root, 'x.ts'), 'mkdirSync(path, { recursive: true })')
  t.match(readFileSync(join(root, 'x.ts'), 'utf8'), /mkdir(Sync)?\([^)]*recursive/)
})
