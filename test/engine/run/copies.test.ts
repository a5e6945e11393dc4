// Copies of what a node changes in place are work: while one is made, nothing else is taken to be at rest.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { tap } from 'rxjs'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import type { Copier } from '../../../engine/graph/plan.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { graphText, testBed } from '../support.ts'

/** Makes a copy of each version, which takes a while. */
class SlowCopier implements Copier {
  readonly onIdle: (() => void)[] = []
  busy = false

  take(): void {
    this.busy = true
    setTimeout(() => {
      this.busy = false
      for (const idle of this.onIdle) idle()
    }, 30)
  }
}

const nodes = {
  count: { operator: 'range', config: { count: 12 } },
  write: {
    operator: 'write',
    from: {
      items: 'count.numbers',
      weights: { edge: 'update.version', keep: 'latest', initial: 0, maxLag: 1 },
    },
  },
  update: { operator: 'update', from: { items: 'write.items' } },
}

t.test('checkpoints stand where the items say, however long a copy takes', async t => {
  const copier = new SlowCopier()
  let version = 0
  const write = operator({
    summary: 'Follows the weights.',
    config: {},
    inputs: { items: 'any', weights: 'version' },
    outputs: { items: 'any' },
    drops: false,
    run: ({ items, weights }, _, context) => ({
      items: items.pipe(context.each((item: number) => item)),
      following: weights.pipe(
        tap(() => copier.take()),
        context.each(() => undefined),
      ),
    }),
  })
  const update = operator({
    summary: 'Changes the weights.',
    config: {},
    inputs: { items: 'any' },
    outputs: { version: { kind: 'version', inPlace: true } },
    drops: false,
    run: ({ items }, _, context) => ({ version: items.pipe(context.each(() => ++version)) }),
  })
  const { registry } = testBed({ operators: { write, update } })
  const plan = loadGraph('g.json', registry, {
    read: () => graphText(nodes, { checkpoint: { every: 3, keep: 9 } }),
  })
  const withCopier = {
    ...plan,
    nodes: plan.nodes.map(node => (node.name === 'write' ? { ...node, copier } : node)),
  }
  const directory = t.testdir()
  const { status, error } = await startRun(withCopier, { seed: 0, directory }).done
  t.same([status, error?.message], ['completed', undefined])
  t.same(
    readdirSync(join(directory, 'checkpoints'))
      .filter(name => /^\d+$/.test(name))
      .sort(),
    ['000003', '000006', '000009', '000012'],
  )
})
