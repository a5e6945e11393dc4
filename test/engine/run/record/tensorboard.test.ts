import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { crc32c, openEventFile, recordOf } from '../../../../engine/run/record/tensorboard.ts'

t.test('the checksum is that of RFC 3720, appendix B.4', async t => {
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  t.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
})

t.test('a record is the length, its masked checksum, the data, its masked checksum', async t => {
  const record = recordOf(Buffer.from('abc'))
  t.equal(record.length, 8 + 4 + 3 + 4)
  t.equal(record.readBigUInt64LE(), 3n)
  const crc = crc32c(Buffer.from('abc'))
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  t.equal(record.readUInt32LE(15), masked)
})

t.test('an event file holds its version and every finite number, byte for byte', async t => {
  const folder = t.testdir()
  const file = openEventFile(folder, 'train/', () => 1500)
  file.scalars(300, { step: 300, loss: 0.5, text: 'x', broken: Number.NaN })
  file.scalars(301, { text: 'nothing to write' })
  file.close()
  const [name] = readdirSync(folder)
  t.match(name, /^events\.out\.tfevents\.0000000001\./)
  // double 1.5 in field 1, then the version in field 3
  const version = `09000000000000f83f1a0d${Buffer.from('brain.Event:2').toString('hex')}`
  // step 300 in field 2; a summary in field 5 with one value: tag in field 1, float 0.5 in field 2
  const value = `0a0a${Buffer.from('train/loss').toString('hex')}150000003f`
  const scalars = `09000000000000f83f10ac022a130a11${value}`
  const expected = [version, scalars].map(hex => recordOf(Buffer.from(hex, 'hex')))
  t.same(readFileSync(join(folder, name)).toString('hex'), Buffer.concat(expected).toString('hex'))
})

t.test(
  'a second event file of a run begins with a session at its first step, which undoes later ones',
  async t => {
    const folder = t.testdir()
    for (const second of [1500, 2500]) {
      const file = openEventFile(folder, 'train/', () => second)
      file.scalars(300, { loss: 0.5 })
      file.scalars(301, { loss: 0.5 })
      file.close()
    }
    const [first, second] = readdirSync(folder)
      .sort()
      .map(name => readFileSync(join(folder, name)).toString('hex'))
    // step 300 in field 2; in field 7 the session, whose field 1 is START
    const start = '10ac023a020801'
    t.notMatch(first, start)
    t.equal(second?.split(start).length, 2, 'once')
  },
)
