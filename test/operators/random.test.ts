import t from 'tap'
import { randomOf } from '../../operators/random.ts'

const draws = (count: number, draw: () => number) => Array.from({ length: count }, draw)

t.test('a seed gives one stream, each of its parts another', t => {
  const first = (seed: number, ...parts: (string | number)[]) => draws(5, randomOf(seed, ...parts).uniform)
  t.same(first(1, 'a'), first(1, 'a'))
  t.notSame(first(1, 'a'), first(2, 'a'))
  t.notSame(first(1, 'a'), first(1, 'b'))
  t.notSame(first(1, 'a', 'b'), first(1, 'ab'))
  t.end()
})

t.test('uniform and normal draws have their mean and deviation', t => {
  const { uniform, normal } = randomOf(1)
  const moments = (values: number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    return [mean, Math.sqrt(variance)] as const
  }
  const [uniformMean, uniformDeviation] = moments(draws(20_000, uniform))
  t.ok(Math.abs(uniformMean - 0.5) < 0.01 && Math.abs(uniformDeviation - Math.sqrt(1 / 12)) < 0.01)
  const [normalMean, normalDeviation] = moments(draws(20_000, normal))
  t.ok(Math.abs(normalMean) < 0.03 && Math.abs(normalDeviation - 1) < 0.02)
  t.end()
})

t.test('a shuffle keeps every element and favours no order', t => {
  const random = randomOf(1)
  const counts = new Map<string, number>()
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle(['a', 'b', 'c']).join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  t.equal(counts.size, 6)
  for (const [order, count] of counts) t.ok(Math.abs(count - 1000) < 150, `${order}: ${count}`)
  t.same(random.shuffle([]), [])
  t.end()
})
