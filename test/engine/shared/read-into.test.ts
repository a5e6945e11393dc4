import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readInto } from '../../../engine/shared/read-into.ts'

const content = Uint8Array.from({ length: 100 }, (_, i) => i)

t.test('bytes are filled although each read takes a few of them', async t => {
  const read = async (bytes: Uint8Array, offset = 0, length = 0, position = 0) => {
    const taken = content.subarray(position, position + Math.min(7, length))
    bytes.set(taken, offset)
    return { bytesRead: taken.length, buffer: bytes }
  }
  const file = { read } as unknown as Parameters<typeof readInto>[0]
  const bytes = new Uint8Array(50)
  t.equal(await readInto(file, bytes, 20), 50)
  t.same(bytes, content.subarray(20, 70))
  t.equal(await readInto(file, bytes, 90), 10, 'fewer where the file ends')
  t.same(bytes.subarray(0, 10), content.subarray(90))
})

t.test('a file of the disk is read from the position', async t => {
  const path = join(t.testdir({}), 'file')
  writeFileSync(path, content)
  const file = await open(path)
  t.teardown(() => file.close())
  const bytes = new Uint8Array(10)
  t.equal(await readInto(file, bytes, 95), 5)
  t.same(bytes, [95, 96, 97, 98, 99, 0, 0, 0, 0, 0])
})
