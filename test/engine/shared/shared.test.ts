import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CodedError, codeOf, messageOf } from '../../../engine/shared/errors.ts'
import { hashText, mixBits } from '../../../engine/shared/hash.ts'
import { isObject, readJsonObject } from '../../../engine/shared/json.ts'
import { isPartial, replaceFile, replaceFileBy } from '../../../engine/shared/replace-file.ts'
import { table } from '../../../engine/shared/table.ts'

const folder = mkdtempSync(join(tmpdir(), 'flow-shared-'))
t.teardown(() => rmSync(folder, { recursive: true }))

t.test('mixBits gives the published values of the finaliser of MurmurHash3', async t => {
  t.same([0, 1, 2, 0xffffffff, -1].map(mixBits), [0, 0x514e28b7, 0x30f4c306, 0x81f16f39, 0x81f16f39])
})

t.test('hashText tells texts apart and depends on the text alone', async t => {
  t.equal(hashText('clip-1'), hashText('clip-1'))
  t.not(hashText('clip-1'), hashText('clip-2'))
  t.equal(hashText(''), mixBits(0x811c9dc5))
})

t.test('a replaced file holds the new content and leaves nothing else in its folder', async t => {
  const path = join(folder, 'replaced.json')
  replaceFile(path, 'old')
  replaceFile(path, 'new', { durable: false })
  t.equal(readFileSync(path, 'utf8'), 'new')
  await replaceFileBy(path, async partial => {
    t.ok(isPartial(partial), 'it is written under a temporary name')
    t.match(partial, /replaced\.json$/, 'with the same extension')
    writeFileSync(partial, 'newest')
    t.equal(readFileSync(path, 'utf8'), 'new', 'the old content stays until the new one is whole')
  })
  t.equal(readFileSync(path, 'utf8'), 'newest')
  t.same(readdirSync(folder).filter(isPartial), [])
})

t.test('a write that fails leaves the old file and no temporary one', async t => {
  const path = join(folder, 'kept.json')
  replaceFile(path, 'old')
  const full = new Error('the disk is full')
  const write = async (partial: string) => {
    writeFileSync(partial, 'ne')
    throw full
  }
  await t.rejects(replaceFileBy(path, write), full)
  t.throws(() => replaceFile(join(folder, 'missing', 'file'), ''), { code: 'ENOENT' })
  t.equal(readFileSync(path, 'utf8'), 'old')
  t.same(readdirSync(folder).filter(isPartial), [])
})

t.test('readJsonObject names a file that is missing, torn or something else', async t => {
  const path = join(folder, 'state.json')
  t.throws(() => readJsonObject(path), { code: 'missing-file', message: `${path}: no such file` })
  t.throws(() => readJsonObject(folder), { code: 'unreadable-file' })
  for (const text of ['', '{"seed": 1', '[1]', 'null']) {
    writeFileSync(path, text)
    t.throws(() => readJsonObject(path), { code: 'torn-file' }, text)
  }
  writeFileSync(path, '{"seed": 1}')
  t.same(readJsonObject(path), { seed: 1 })
})

t.test('isObject accepts objects, not lists and null', async t => {
  t.same([{}, [], null, 'text', undefined].map(isObject), [true, false, false, false, false])
})

t.test('a coded error says its code, its remedy and its cause', async t => {
  class DiskError extends CodedError<'full'> {}
  const error = new DiskError('full', 'cannot write a.json', { remedy: 'free some space', cause: 7 })
  t.match(error, { name: 'DiskError', code: 'full', remedy: 'free some space', cause: 7 })
  t.equal(messageOf(error), 'cannot write a.json: free some space')
  t.equal(messageOf('plain'), 'plain')
  t.same([codeOf(error), codeOf(new Error('none')), codeOf('plain')], ['full', undefined, undefined])
})

t.test('table aligns columns, also where rows have fewer cells', async t => {
  t.same(table([['a', 'bb', 'c'], ['aaa']], '  '), ['  a    bb  c', '  aaa'])
  t.same(table([]), [])
})
