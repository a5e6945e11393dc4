import t from 'tap'
import { sparkline } from '../../../engine/shared/number.ts'
import { drawGraph } from '../../../engine/view/draw-graph.ts'
import { layOut } from '../../../engine/view/layout.ts'

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
  const heights = [...picture.matchAll(/class="name" x="[\d.]+" y="([\d.]+)">(\w+)/g)]
  const yOf = Object.fromEntries(heights.map(([, y, name]) => [name, Number(y)]))
  t.ok(yOf.start < yOf.middle && yOf.middle < yOf.end)
  t.notMatch(picture, /NaN|undefined/)
})

t.test('an arrow that leads past the boxes is within the drawing', async t => {
  const box = { width: 176, height: 58 }
  const names = ['questions', 'clips', 'pending', 'watch', 'encode', 'answers', 'score', 'record']
  const chain = names.slice(1).map((to, i) => [names[i] ?? '', to] as const)
  const past = [
    ['questions', 'record'],
    ['pending', 'answers'],
    ['watch', 'score'],
  ] as const
  const arrows = [...chain, ...past].map(([from, to]) => ({ from, to, feedback: false }))
  const boxes = names.map(name => ({ name, ...box }))
  const { places, paths, width } = layOut(boxes, arrows)
  const ends = paths.flatMap(path => [...path.matchAll(/([-\d.]+) [-\d.]+/g)].map(([, x]) => Number(x)))
  const sides = [...places.values()].flatMap(({ x }) => [x - box.width / 2, x + box.width / 2])
  t.ok(Math.min(...ends, ...sides) >= 0, `${Math.min(...ends, ...sides)} is the leftmost point`)
  t.ok(Math.max(...ends, ...sides) <= width, `${Math.max(...ends, ...sides)} of ${width} is the rightmost`)
})

t.test('a sparkline goes from the lowest to the highest and is no longer than asked', async t => {
  t.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█')
  t.equal(sparkline([5, 5]), '▄▄')
  t.equal(sparkline([]), '')
  t.equal([...sparkline(Array.from({ length: 999 }, (_, i) => i))].length, 40)
})
