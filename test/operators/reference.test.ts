import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { withReference } from '../../engine/cli/generate/reference-pages.ts'
import { operators, resources } from '../../operators/index.ts'
import { repository } from '../fixtures.ts'

t.test('operators/README.md is what the operators say of themselves', async t => {
  const page = readFileSync(join(repository, 'operators/README.md'), 'utf8')
  t.equal(
    withReference(page, { operators, resources }),
    page,
    'else run: node dist/engine/cli/generate/reference.js',
  )
  for (const name of [...Object.keys(operators), ...Object.keys(resources)])
    t.ok(page.includes(`\n### ${name}\n`), name)
})
