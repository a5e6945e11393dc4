import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pathHere } from '../../../engine/shared/path-here.ts'

t.test('a path is shown as seen from the working directory, or from the root where that is shorter', t => {
  const here = process.cwd()
  t.teardown(() => process.chdir(here))
  const folder = t.testdir({ work: {}, '..odd': {} })
  process.chdir(folder)
  t.equal(pathHere(join(folder, 'a/b.mjs')), 'a/b.mjs')
  t.equal(pathHere('a/b.mjs'), 'a/b.mjs', 'one that is seen from here already')
  t.equal(pathHere(join(folder, '..odd/b.mjs')), '..odd/b.mjs', 'a name may begin with dots')
  t.equal(pathHere(folder), '.')
  t.equal(pathHere('/b.mjs'), '/b.mjs')
  mkdirSync('work/deep')
  process.chdir('work/deep')
  t.equal(pathHere(join(folder, 'a.mjs')), '../../a.mjs', 'a folder beside this one')
  t.end()
})
