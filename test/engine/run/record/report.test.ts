import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sparkline } from '../../../../engine/run/record/report/curve.ts'
import { drawGraph } from '../../../../engine/run/record/report/graph-drawing.ts'
import { reportOf } from '../../../../engine/run/record/report/report.ts'

const lines = (entries: readonly object[]): string =>
  entries.map(entry => `${JSON.stringify(entry)}\n`).join('')

t.test(
  'the report draws what moves, lists what does not, and shows the best, worst and newest samples',
  async t => {
    const metrics = Array.from({ length: 1000 }, (_, i) => ({ step: i + 1, reward: i / 1000, fixed: 7 }))
    // the best and the worst are neither the newest nor the oldest
    const samples = Array.from({ length: 500 }, (_, i) => ({
      reward: i === 100 ? 9 : i === 200 ? -9 : 0,
      text: `<b>answer ${i}</b>`,
    }))
    const folder = t.testdir({
      'metrics.jsonl': `${lines(metrics)}{"step": 1001, "rew`,
      'samples.jsonl': lines(samples),
      'manifest.json': JSON.stringify({
        graph: 'a&b.json',
        status: 'failed',
        error: { message: 'it broke' },
      }),
    })
    const page = await reportOf(folder)
    t.equal(page.match(/<figure>/g)?.length, 1)
    t.match(page, /Never changed: <code>fixed 7<\/code>/)
    for (const i of [100, 200, 499]) t.ok(page.includes(`&lt;b&gt;answer ${i}&lt;/b&gt;`), `sample ${i}`)
    t.notOk(page.includes('answer 250&'))
    t.match(page, /a&amp;b\.json/)
    t.match(page, /it broke/)
    t.notMatch(page, /<script|<link|src=|url\(/)
    t.ok(page.length < 100_000, 'it does not grow with the run')
  },
)

t.test('pictures in the folder of the run are shown, and nothing outside of it', async t => {
  const paths = [
    'frames/a.jpg',
    'frames/missing.jpg',
    '../outside.jpg',
    '/etc/a.jpg',
    'frames/link.jpg',
    'https://example.org/a.jpg',
    'data:image/svg+xml;x.jpg',
  ]
  const folder = t.testdir({
    run: {
      frames: { 'a.jpg': 'picture' },
      'samples.jsonl': lines(paths.map(frames => ({ reward: 1, frames }))),
    },
    'outside.jpg': 'secret',
  })
  symlinkSync(join(folder, 'outside.jpg'), join(folder, 'run/frames/link.jpg'))
  const page = await reportOf(join(folder, 'run'))
  const encoded = Buffer.from('picture').toString('base64')
  t.ok(page.includes(`<img alt="" src="data:image/jpeg;base64,${encoded}">`))
  t.equal(page.match(/<img/g)?.length, 1)
  for (const path of paths.slice(1)) t.ok(page.includes(path), path)
})

t.test('a run of one update, and one without anything, have a report too', async t => {
  const one = t.testdir({ 'metrics.jsonl': lines([{ loss: 2 }]), 'manifest.json': '{}' })
  t.match(await reportOf(one), /loss 2/)
  t.match(await reportOf(t.testdir()), /<h1>run<\/h1>/)
})

t.test('a sparkline goes from the lowest to the highest and is no longer than asked', async t => {
  t.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█')
  t.equal(sparkline([5, 5]), '▄▄')
  t.equal(sparkline([]), '')
  t.equal([...sparkline(Array.from({ length: 999 }, (_, i) => i))].length, 40)
})

t.test('a drawing holds every box below what leads to it, and every arrow', async t => {
  const boxes = ['end', 'middle', 'start'].map(name => ({ name, detail: 'a<b' }))
  const arrows = [
    ['start', 'middle', false],
    ['middle', 'end', false],
    ['start', 'end', false],
    ['end', 'middle', true],
  ] as const
  const picture = drawGraph({ boxes, arrows: arrows.map(([from, to, feedback]) => ({ from, to, feedback })) })
  t.equal(picture.match(/<path class="arrow/g)?.length, 4)
  t.equal(picture.match(/feedback" d/g)?.length, 1)
  t.match(picture, /a&lt;b/)
  const heights = [...picture.matchAll(/class="name" x="[\d.]+" y="(\d+)">(\w+)/g)]
  const yOf = Object.fromEntries(heights.map(([, y, name]) => [name, Number(y)]))
  t.ok(yOf.start < yOf.middle && yOf.middle < yOf.end)
})
