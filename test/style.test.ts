import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { repository } from './fixtures.ts'

t.test('every file is formatted and linted', async t => {
  const biome = join(repository, 'node_modules/@biomejs/biome/bin/biome')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [biome, 'ci', '--colors=off', '--max-diagnostics=20', '.'],
    { cwd: repository, encoding: 'utf8', timeout: 400_000 },
  )
  t.equal(status, 0, 'biome ci finds nothing', { found: `${stdout}\n${stderr}` })
})
