import t from 'tap'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { gatherRows, gatherRowsReference } from '../../../kernels/rows/gather-rows.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  const gathered = async (
    from: Float32Array<ArrayBuffer>,
    before: Float32Array<ArrayBuffer>,
    columns: number,
    lists: { destinations: number[]; offsets: number[]; items: number[]; weights?: number[] },
    accumulate: boolean,
  ) => {
    const [destinations, offsets, items] = [lists.destinations, lists.offsets, lists.items].map(list =>
      given(device, [list.length], Uint32Array.from(list)),
    )
    const into = given(device, [before.length / columns, columns], before)
    const segments = lists.destinations.length
    const source = given(device, [from.length / columns, columns], from)
    await runOnce(device, recording =>
      gatherRows(recording, {
        from: source,
        into,
        destinations,
        offsets,
        items,
        weights: lists.weights && given(device, [lists.weights.length], Float32Array.from(lists.weights)),
        segments,
        accumulate,
      }),
    )
    return device.read(into)
  }

  for (const columns of [1, 5, 8, 129, 1028])
    await t.test(`rows of ${columns} are gathered, summed by segment, and added where asked`, async t => {
      const from = noise(6 * columns, 1)
      const before = noise(5 * columns, 2)
      const cases = {
        'a gather': { destinations: [3, 0, 1], offsets: [0, 1, 2, 3], items: [5, 5, 0] },
        'sums of segments, one of them empty': {
          destinations: [4, 2, 0],
          offsets: [0, 3, 3, 5],
          items: [0, 5, 0, 2, 1],
        },
        'one segment': { destinations: [0], offsets: [0, 1], items: [2] },
        'weighted sums': {
          destinations: [4, 2],
          offsets: [0, 3, 5],
          items: [0, 5, 0, 2, 1],
          weights: [0.5, 0.25, -2, 0, 3],
        },
      }
      for (const [name, lists] of Object.entries(cases))
        for (const accumulate of [false, true]) {
          const wanted = gatherRowsReference(from, before, columns, lists, accumulate)
          const found = await gathered(from, before, columns, lists, accumulate)
          close(t, found, wanted, 2e-7, `${name}${accumulate ? ', added' : ''}:`)
        }
    })

  await t.test('the gradient of a lookup sums the gradients of all places that read a row', async t => {
    // Rows 2, 0 and 2 of a table are looked up.
    const columns = 3
    const lookup = { destinations: [0, 1, 2], offsets: [0, 1, 2, 3], items: [2, 0, 2] }
    const outer = noise(9, 3)
    const wanted = finiteDifferences(
      table => gatherRowsReference(table, new Float32Array(9), columns, lookup, false),
      noise(9, 4),
      outer,
    )
    const scatter = { destinations: [0, 2], offsets: [0, 1, 3], items: [1, 0, 2] }
    close(
      t,
      await gathered(outer, new Float32Array(9), columns, scatter, true),
      wanted,
      1e-6,
      'gradient of a lookup',
    )
  })
})
