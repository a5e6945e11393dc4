import t from 'tap'
import { decodeSubtitles, decodeText } from '../../../operators/text/decode-text.ts'

const times = '00:00:01,000 --> 00:00:02,000\n'
const bytes = (...high: number[]) => Buffer.concat([Buffer.from(times), Buffer.from(high)])

t.test('text is UTF-8, or UTF-16 where a mark says so; marks are no part of it', async t => {
  t.same(decodeText(Buffer.from('\ufeffé{}')), { text: 'é{}' })
  t.same(decodeText(Buffer.from('\ufeffé', 'utf16le')), { text: 'é' })
  t.same(decodeText(Buffer.from('\ufeffé', 'utf16le').swap16()), { text: 'é' })
  t.same(decodeText(Buffer.from([0x61, 0x0a, 0x62, 0x0a, 0xe9, 0x0a])), { badLine: 3 })
  t.same(decodeText(Buffer.from([0xff, 0xfe, 0x61])), { badLine: 1 })
})

t.test('subtitles are read in the encoding that their bytes show', async t => {
  for (const text of ['naïve – “où”', '你好'])
    for (const swapped of [false, true]) {
      const utf16 = Buffer.from(times + text, 'utf16le')
      t.equal(decodeSubtitles(swapped ? utf16.swap16() : utf16), times + text, 'UTF-16 without a mark')
    }
  // caf\xe9 \x96 \x93\xe9t\xe9\x94
  const western = [0x63, 0x61, 0x66, 0xe9, 0x20, 0x96, 0x20, 0x93, 0xe9, 0x74, 0xe9, 0x94]
  t.equal(decodeSubtitles(bytes(...western)), `${times}café – “été”`, 'Windows-1252')
  // the bytes of GB2312
  t.equal(
    decodeSubtitles(bytes(0xc4, 0xe3, 0xba, 0xc3, 0xa3, 0xac, 0xca, 0xc0)),
    `${times}你好，世`,
    'GB18030',
  )
})

t.test('what fits no encoding is unreadable, never a replacement character', async t => {
  t.equal(decodeSubtitles(bytes(0xcf, 0xf0, 0xe8, 0xe2, 0xe5)), undefined, 'Windows-1251')
  t.equal(decodeSubtitles(bytes(0x82, 0xb1, 0x82, 0xf1)), undefined, 'Shift JIS')
  t.equal(decodeSubtitles(bytes(0x61, 0xb3, 0x62, 0xb9)), undefined, 'Windows-1250')
  const neither = Array.from({ length: 12 }, (_, i) => [0xb0 + i, 0xa1 + i]).flat()
  t.equal(decodeSubtitles(bytes(...neither)), undefined, 'neither Chinese nor Korean')
})

t.test('Korean and Chinese, which share their bytes, are told apart in short lines too', async t => {
  // the bytes of EUC-KR
  const hello = [0xbe, 0xc8, 0xb3, 0xe7, 0xc7, 0xcf, 0xbc, 0xbc, 0xbf, 0xe4]
  t.equal(decodeSubtitles(bytes(...hello)), `${times}안녕하세요`)
  t.equal(decodeSubtitles(bytes(0xb3, 0xaa, 0xb4, 0xc2, 0x2e)), `${times}나는.`)
  // the bytes of GB2312, all of whose first ones begin Korean syllables too
  t.equal(decodeSubtitles(bytes(0xc4, 0xe3, 0xba, 0xc3)), `${times}你好`)
  t.equal(decodeSubtitles(bytes(0xb2, 0xbb, 0xbf, 0xc9, 0xc4, 0xdc)), `${times}不可能`)
})
