import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseCues, wordsOf } from '../../../operators/eval/subtitles.ts'
import type { Question } from '../../../operators/question.ts'

const shown = (text: string): string[] =>
  parseCues(text).map(cue => `${cue.startSeconds}-${cue.endSeconds} ${cue.text}`)

const first = '00:00:01,000 --> 00:00:02,250'
const second = '00:01:03,004 --> 01:00:00,500'

const forms: readonly [string, string, string[]][] = [
  [
    'an empty line inside a cue',
    `1\n${first}\nA\n\nB\n\n2\n${second}\nC\n`,
    ['1-2.25 A B', '63.004-3600.5 C'],
  ],
  ['no empty line between cues', `1\n${first}\nA\n2\n${second}\nC`, ['1-2.25 A', '63.004-3600.5 C']],
  ['spaces in the empty line', `1\n${first}\nA\n\t \n2\n${second}\nC`, ['1-2.25 A', '63.004-3600.5 C']],
  ['carriage returns alone', `1\r${first}\rA\r\r2\r${second}\rC\r`, ['1-2.25 A', '63.004-3600.5 C']],
  ['places on the screen', `1\n${first}  X1:1 X2:2 Y1:3 Y2:4\nA`, ['1-2.25 A']],
  ['a number that is spoken', `1\n${first}\n42\n\n2\n${second}\n7\n`, ['1-2.25 42', '63.004-3600.5 7']],
  ['cues without numbers', `${first}\nA\n\n${second}\nC`, ['1-2.25 A', '63.004-3600.5 C']],
  ['tags and breaks', `1\n${first}\n{\\an8}<i>A</i><br/><font color="#fff">b</font>`, ['1-2.25 A b']],
  [
    'signs that are no tags',
    `1\n${first}\n1 < 2 and 3 > 2, <sighs> {x}`,
    ['1-2.25 1 < 2 and 3 > 2, <sighs> {x}'],
  ],
  ['an arrow that is no line of times', `1\n${first}\nA --> B`, ['1-2.25 A --> B']],
  ['a cue without words', `1\n${first}\n \n\n2\n${second}\nC`, ['63.004-3600.5 C']],
  [
    'WebVTT',
    'WEBVTT\n\nNOTE not shown\n\n00:01.000 --> 00:02.000 align:start\n<c.red>R&amp;D</c>\n\nNOTE no\n\n00:03.000 --> 00:04.000\nx',
    ['1-2 R&D', '3-4 x'],
  ],
]
for (const [name, text, cues] of forms)
  t.test(`${name}: the cues are those that a player shows`, async t => {
    t.strictSame(shown(text), cues)
  })

t.test('subtitles that no encoding fits are named, and no question is asked with them', async t => {
  const path = join(t.testdir(), 'a.srt')
  // Cyrillic letters of Windows-1251
  writeFileSync(
    path,
    Buffer.concat([Buffer.from(`1\n${first}\n`), Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2])]),
  )
  const subtitles = { path, form: 'list', startSeconds: 0 }
  // only these fields are looked at
  const question = { question: 'Q', fields: { subtitles } } as unknown as Question
  await t.rejects(wordsOf(question, { seconds: [1.5], durationSeconds: 3 }), {
    code: 'bad-subtitles',
    message: /a\.srt: subtitles must be UTF-8, UTF-16, Windows-1252, GB18030 or EUC-KR, and it is not sure/,
  })
  writeFileSync(path, '[{"start": 1}, 2]')
  await t.rejects(
    wordsOf(question, { seconds: [1.5], durationSeconds: 3 }),
    /a\.srt: .*item 1 must be an object/,
  )
})
