import t from 'tap'
import { scorers } from '../../operators/eval/scorers.ts'
import { parseCues } from '../../operators/eval/subtitles.ts'
import { accuracyReward } from '../../operators/reward/accuracy.ts'
import { formatReward } from '../../operators/reward/format.ts'
import { formulaOf } from '../../operators/reward/formula.ts'

const size = 1_000_000

/** Pieces that make parsers with overlapping quantifiers try one character again and again. */
const pieces = [
  ' ',
  '\n',
  'a',
  '1,',
  '. ',
  '$',
  '\\(',
  '\\[',
  '\\text{',
  '\\boxed{',
  '(A',
  '(A) ',
  'A or ',
  'not A, ',
  'the answer is A ',
  '<',
  '< ',
  '<answer>',
  '<answer> ',
  '</answer>',
  '<answer>\n',
  '<think>',
  '</think><answer>',
  '00:00:01,000 --> ',
  '1\n00:00:01,000 --> 00:00:02,000\n',
  '{\\',
]
const shapes = pieces.flatMap(piece => {
  const long = piece.repeat(size / piece.length)
  return [long, `<answer>${long}`, `A. x${long}y`, `1\n00:00:01,000 --> 00:00:02,000\n${long}`]
})

const choices = { letters: ['A', 'B', 'C', 'D'], options: ['one', 'two', 'three', 'four'] }
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  ...Object.fromEntries(
    Object.entries(scorers).map(([name, scorer]) => [name, (text: string) => scorer(text, choices)]),
  ),
  format: text => formatReward(text, { baseline: 0.5, lengthBonus: 0.5, lengthCap: 1200 }),
  accuracy: text => accuracyReward(text, 'A'),
  formula: formulaOf,
  subtitles: text => {
    try {
      return parseCues(text)
    } catch {
      return undefined // no subtitles
    }
  },
}

/** Processor time, so that other work on the machine does not count; the shortest of several, for memory is tidied in between. */
const mostSeconds = 0.5
const tries = 5

for (const [name, reader] of Object.entries(readers))
  t.test(`${name} reads a million characters of any shape in linear time`, async t => {
    for (const shape of shapes) {
      let seconds = Number.POSITIVE_INFINITY
      for (let i = 0; i < tries && seconds >= mostSeconds; i++)
        seconds = Math.min(seconds, secondsOf(reader, shape))
      t.ok(seconds < mostSeconds, `${JSON.stringify(shape.slice(0, 40))}…: ${seconds.toFixed(2)} s`)
    }
  })

function secondsOf(reader: (text: string) => unknown, text: string): number {
  const started = process.cpuUsage()
  reader(text)
  return process.cpuUsage(started).user / 1e6
}
