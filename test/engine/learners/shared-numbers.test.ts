import { closeSync, readlinkSync } from 'node:fs'
import t from 'tap'
import { divide } from '../../../engine/learners/divide.ts'
import { Round } from '../../../engine/learners/round.ts'
import { openMemory, SharedNumbers } from '../../../engine/learners/shared-numbers.ts'
import { teamOf } from '../../../engine/learners/team-of.ts'
import { CodedError } from '../../../engine/shared/errors.ts'

/** Numbers of very different sizes, so that the order of a sum shows in its last bits. */
const numbersOf = (rank: number, count: number) =>
  Float32Array.from(
    { length: count },
    (_, i) => Math.sin(i * 12.9898 + rank * 78.233) * 10 ** ((i + rank) % 7),
  )

/** ((first + second) + third) …, each sum rounded to float32. */
const plainSums = (lists: readonly Float32Array[]) =>
  lists.reduce((sums, list) => sums.map((sum, i) => Math.fround(sum + (list[i] ?? 0))))

for (const [size, count] of [
  [2, 1000],
  [3, 1001],
  [4, 3],
  [5, 1],
] as const)
  t.test(`${count} numbers of ${size} learners are added in the order of the learners`, async t => {
    const memory = openMemory()
    t.teardown(() => closeSync(memory))
    const round = new Round(1, size, () => {})
    const lists = Array.from({ length: size }, (_, rank) => numbersOf(rank, count))
    const again = Array.from({ length: size }, (_, rank) => numbersOf(rank + size, count))
    const found = await Promise.all(
      lists.map(async (list, rank) => {
        const meet = (meeting: number, value: unknown) => round.give(rank, meeting, value)
        const numbers = new SharedNumbers(memory, size, 1024)
        const team = teamOf({ rank, size, numbers, meet })
        const sums: Float32Array[] = []
        for (const one of [list, again[rank] ?? list, list]) sums.push((await team.sum(one)).slice())
        return sums
      }),
    )
    const [first, second] = [plainSums(lists), plainSums(again)]
    for (const sums of found) t.same(sums, [first, second, first], 'bit for bit, in each of them')
  })

t.test('memory that learners share has no name, so that nothing can be left of it', async t => {
  const memory = openMemory()
  const numbers = new SharedNumbers(memory, 2, 16)
  numbers.put(0, 1, Float32Array.of(1, 2, 3))
  t.match(readlinkSync(`/proc/self/fd/${memory}`), /^\/dev\/shm\/.* \(deleted\)$/)
  numbers.close()
})

t.test('a batch is divided into whole pieces, in order and as evenly as they allow', async t => {
  const ten = Array.from({ length: 10 }, (_, i) => i)
  t.same(divide(ten, 1, 3), [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8, 9],
  ])
  t.same(divide(ten, 4, 2), [
    [0, 1, 2, 3],
    [4, 5, 6, 7, 8, 9],
  ])
  t.same(divide([7], 1, 3), [[], [], [7]], 'of a short batch some get nothing')
})

t.test('when a learner fails, all that wait for it hear of that', async t => {
  const round = new Round(1, 2, () => t.fail('nothing was met'))
  const waiting = round.give(0, 1, 'early')
  const ended = round.begin(1)
  round.end(1, new CodedError('bad', 'learner 2 of 2: a broken value'))
  await t.rejects(waiting, /learner 2 of 2: a broken value/)
  await t.rejects(round.give(0, 2, 'late'), /learner 2 of 2: a broken value/)
  await ended
})
