import t from 'tap'
import { firstOf, lengthOf, strip, stripEnd } from '../../../operators/text/python.ts'

const hex = (text: string) => `U+${text.charCodeAt(0).toString(16)}` // a line separator in a name breaks the report

t.test('strip removes what Python calls whitespace', async t => {
  for (const space of [
    '\t',
    '\n',
    '\x0b',
    '\r',
    '\x1c',
    '\x1f',
    ' ',
    '\x85',
    '\xa0',
    '\u1680',
    '\u200a',
    '\u2028',
    '\u3000',
  ]) {
    t.equal(strip(`${space}a${space}b${space}`), `a${space}b`, hex(space))
  }
})

t.test('strip keeps what only JavaScript or nobody calls whitespace', async t => {
  for (const kept of ['\ufeff', '\u200b', '\u180e', '\x00', '\x1b']) t.equal(strip(kept), kept, hex(kept))
})

t.test('strip of nothing but whitespace is empty, and fast on long inner runs', async t => {
  t.equal(strip(' \n '), '')
  t.equal(strip(''), '')
  const inner = `a${' '.repeat(200_000)}b`
  t.equal(strip(inner), inner)
})

t.test('length and first character count code points', async t => {
  t.equal(lengthOf('a😀é'), 3)
  t.equal(firstOf('😀a'), '😀')
  t.equal(firstOf(''), '')
})

t.test('only the end is stripped by stripEnd', async t => {
  t.equal(stripEnd('\x1fa \x1f\n'), '\x1fa')
  t.equal(stripEnd('a\ufeff'), 'a\ufeff')
})
