import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fileInside, inside, isInside } from '../../../engine/shared/inside.ts'

t.test('a name inside a folder is joined with it', async t => {
  for (const name of [
    'a.mp4',
    'a/b.mp4',
    './a.mp4',
    'a/../b.mp4',
    '..a',
    'a..',
    'über/ß.mp4',
    'a b',
    'C.mp4',
  ])
    t.equal(inside('folder', name), join('folder', name), name)
})

t.test('a name that leaves the folder, starts at a root or is an address is refused', async t => {
  const names = [
    '..',
    '../a',
    'a/../../b',
    'a/b/../../../c',
    '..\\a',
    'a\\..\\..\\b',
    '/etc/passwd',
    '\\\\server\\share',
    'C:\\a',
    'C:a',
    'https://example.org/a',
    'data:text/html,x',
    'file:a',
    'javascript:x',
    'a\0b',
    '',
    '.',
    'a/..',
  ]
  for (const name of names) {
    t.notOk(isInside(name), JSON.stringify(name))
    t.throws(() => inside('folder', name, 'the sheet of question 7'), {
      code: 'path-outside',
      message: /^folder: the sheet of question 7 must name a file inside this folder, found "/,
    })
  }
})

t.test('what is not a text names no file', async t => {
  for (const name of [undefined, null, 7, {}, ['a']]) {
    t.notOk(isInside(name))
    t.throws(() => inside('folder', name), { code: 'path-outside', message: /which is not a text/ })
  }
})

t.test('a file to be copied or shown is one of the folder, whatever links say', async t => {
  const home = t.testdir({ folder: { 'a.jpg': 'a', sub: {} }, 'key.txt': 'secret' })
  const folder = join(home, 'folder')
  symlinkSync(join(home, 'key.txt'), join(folder, 'link.jpg'))
  symlinkSync(home, join(folder, 'up'))
  symlinkSync('a.jpg', join(folder, 'near.jpg'))
  t.equal(fileInside(folder, 'a.jpg'), join(folder, 'a.jpg'))
  t.equal(fileInside(folder, 'near.jpg'), join(folder, 'near.jpg'))
  for (const name of ['link.jpg', 'up/key.txt', 'none.jpg', 'sub'])
    t.equal(fileInside(folder, name), undefined, name)
  t.throws(() => fileInside(folder, '../key.txt'), { code: 'path-outside' })
})
