import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { rewindFiles } from '../../../../engine/run/record/files.ts'

t.test('files go back to their sizes at a checkpoint', async t => {
  const folder = t.testdir({ 'metrics.jsonl': '1\n2\n3\n', 'later.jsonl': '1\n' })
  rewindFiles(folder, { 'metrics.jsonl': 4 })
  t.equal(readFileSync(join(folder, 'metrics.jsonl'), 'utf8'), '1\n2\n')
  t.equal(readFileSync(join(folder, 'later.jsonl'), 'utf8'), '')
})

t.test('files that were changed since a checkpoint stay as they are', t => {
  const folder = t.testdir({ 'metrics.jsonl': '10\n2\n3\n' })
  t.throws(() => rewindFiles(folder, { 'metrics.jsonl': 4 }), {
    code: 'checkpoint-mismatch',
    message: /metrics.jsonl: must have a line that ends after 4 bytes/,
  })
  t.equal(readFileSync(join(folder, 'metrics.jsonl'), 'utf8'), '10\n2\n3\n')
  t.end()
})

t.test('a checkpoint that names a file outside the run changes none', async t => {
  const home = t.testdir({ run: { 'metrics.jsonl': '' }, 'diary.txt': 'dear diary' })
  for (const name of ['../diary.txt', join(home, 'diary.txt')]) {
    t.throws(() => rewindFiles(join(home, 'run'), { [name]: 0 }), { code: 'path-outside' })
    t.equal(readFileSync(join(home, 'diary.txt'), 'utf8'), 'dear diary')
  }
})
