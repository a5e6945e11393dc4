import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../fixtures.ts'
import { differences, largestError } from './row.ts'
import { checkPrompts, checkText } from './text.ts'

t.test('rewards, parsers and frame indices of the released code are equal in every case', async t => {
  const rows = await checkText(fixture('text'))
  t.equal(rows.length, 6)
  for (const { name, error, ok } of rows) t.ok(ok, `${name}: ${error} cases differ`)
})

t.test('prompts, ids, labels, advantages and losses of the reference agree', async t => {
  const rows = await checkPrompts(fixture('prompts'))
  t.equal(rows.length, 14)
  for (const { name, error, ok } of rows) t.ok(ok, `${name}: ${error}`)
})

t.test('a wrong expectation is seen', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'flow-golden-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await cp(fixture('prompts'), folder, { recursive: true })
  const path = join(folder, 'expected.json')
  const expected = JSON.parse(await readFile(path, 'utf8'))
  expected.sft.labels.push(1)
  expected.grpo.loss += 1e-4
  await writeFile(path, JSON.stringify(expected))
  const failed = (await checkPrompts(folder)).filter(({ ok }) => !ok)
  t.strictSame(
    failed.map(({ name }) => name),
    ['sft.labels', 'grpo.loss from logps'],
  )
})

t.test('lists of different length and values that are not numbers never pass', async t => {
  t.equal(differences([1, 2], [1]), 1)
  t.equal(largestError([1], [1, 2]), Number.POSITIVE_INFINITY)
  t.equal(largestError([Number.NaN], [1]), Number.POSITIVE_INFINITY)
  t.equal(largestError([3], [2]), 0.5)
})
