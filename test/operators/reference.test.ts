import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { referencePage } from '../../engine/cli/generate/reference-pages.ts'
import { operators, resources } from '../../operators/index.ts'
import { repository } from '../fixtures.ts'

t.test('operators/REFERENCE.md is what the operators say of themselves', async t => {
  const page = readFileSync(join(repository, 'operators/REFERENCE.md'), 'utf8')
  t.equal(
    referencePage({ operators, resources }),
    page,
    'otherwise run: node dist/engine/cli/generate/reference.js',
  )
  const [contents = ''] = page.split('\n## ')
  for (const name of [...Object.keys(operators), ...Object.keys(resources)]) {
    t.ok(page.includes(`\n### ${name}\n`), `a section on ${name}`)
    t.ok(contents.includes(`[${name}](#${name.replaceAll('.', '')})`), `the contents link to ${name}`)
  }
})

t.test('the guide is short, and the files that it names exist', async t => {
  const guide = readFileSync(join(repository, 'operators/README.md'), 'utf8')
  t.ok(guide.split('\n').length <= 180, 'at most 180 lines')
  const named = [...guide.matchAll(/`((?:engine|operators|test)\/[\w/.-]+\.(?:ts|md))`/g)].map(
    ([, path = '']) => path,
  )
  t.ok(named.length > 3)
  for (const path of named.filter(path => !path.includes('FOLDER')))
    t.ok(existsSync(join(repository, path)), path)
})
