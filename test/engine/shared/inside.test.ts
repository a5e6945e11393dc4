import { join } from 'node:path'
import t from 'tap'
import { inside, isInside } from '../../../engine/shared/inside.ts'

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
