import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bufferCount, map } from 'rxjs'
import t, { type Test } from 'tap'
import { loadGraph } from '../../../../engine/graph/check.ts'
import { type Item, operator } from '../../../../engine/operator.ts'
import { checkpointsOf, listCheckpoints } from '../../../../engine/run/checkpoint/folder.ts'
import { rewindFiles } from '../../../../engine/run/record/files.ts'
import { startRun } from '../../../../engine/run/run.ts'
import type { Run, RunOptions } from '../../../../engine/run/summary.ts'
import { Buffers, graphText, turn } from '../../support.ts'

/** The completions of one prompt: one item, so that no edge, error or checkpoint can come between them. */
type Group = readonly { prompt: number; completion: number }[]
const size = 4

function world() {
  const buffers = new Buffers()
  const prompts = operator({
    summary: 'Gives prompts.',
    config: { count: { type: 'integer', description: 'How many.' } },
    inputs: {},
    outputs: { prompts: 'prompt' },
    run: (_, { count }, context) => ({
      prompts: context.source(async function* () {
        for (let value = 0; value < count; value++) yield { key: String(value), value }
      }),
    }),
  })
  const generate = operator({
    summary: 'Completes each prompt a few times.',
    config: {},
    inputs: { prompts: 'prompt' },
    outputs: { groups: 'group' },
    run: ({ prompts }, _, context) => ({
      groups: prompts.pipe(
        context.each((prompt: number) => {
          const group = Array.from({ length: size }, (_, completion) => ({ prompt, completion }))
          return context.emit<Group>(group, { dispose: buffers.make() })
        }),
      ),
    }),
  })
  const reward = operator({
    summary: 'Takes its time, and fails for the third completion of every fifth prompt.',
    config: {},
    inputs: { groups: 'group' },
    outputs: { groups: 'group' },
    run: ({ groups }, _, context) => ({
      groups: groups.pipe(
        context.each(async (group: Group) => {
          for (const { prompt, completion } of group) {
            await turn()
            if (prompt % 5 === 4 && completion === 2) throw new Error('boom')
          }
          return context.emit(group)
        }),
      ),
    }),
  })
  const update = operator({
    summary: 'Learns from two groups at a time.',
    config: {},
    inputs: { groups: 'group' },
    outputs: {},
    collects: () => 2,
    run: ({ groups }, _, context) => ({
      learned: groups.pipe(
        bufferCount<Item<Group>>(2),
        map(list => {
          const joined = list[0].derive(
            list.map(item => item.value),
            { parents: list },
          )
          for (const item of list) item.release()
          return joined
        }),
        context.each(async (groups: readonly Group[]) => {
          await turn()
          context.record('updates', { completions: groups.flat() })
          return undefined
        }),
      ),
    }),
  })
  return { buffers, registry: { operators: { prompts, generate, reward, update }, resources: {} } }
}

type World = ReturnType<typeof world>

const graph = (count: number, edge: object) => ({
  prompts: { operator: 'prompts', config: { count } },
  generate: { operator: 'generate', from: { prompts: 'prompts.prompts' } },
  reward: { operator: 'reward', from: { groups: { edge: 'generate.groups', ...edge } }, onError: 'skip' },
  update: { operator: 'update', from: { groups: 'reward.groups' } },
})

function start(
  { registry }: World,
  nodes: object,
  options: Partial<RunOptions> & { directory: string },
): Run {
  const text = graphText(nodes, { checkpoint: { every: 4, keep: 9 } })
  return startRun(loadGraph('g.json', registry, { read: () => text }), { seed: 1, ...options })
}

/** The prompts of each update; wrong when one came in other than its four completions, in order. */
function updated(t: Test, directory: string): number[][] {
  const lines = readFileSync(join(directory, 'updates.jsonl'), 'utf8').trim().split('\n')
  return lines.map(line => {
    const completions: Group = JSON.parse(line).completions
    const prompts = completions.filter(({ completion }) => completion === 0).map(({ prompt }) => prompt)
    const whole = prompts.flatMap(prompt =>
      Array.from({ length: size }, (_, completion) => ({ prompt, completion })),
    )
    t.strictSame(completions, whole, `groups ${prompts} are whole`)
    return prompts
  })
}

const below = (count: number) => Array.from({ length: count }, (_, i) => i)
const isFine = (prompt: number) => prompt % 5 !== 4

t.test('a group that fails is skipped whole; the others are updated with whole', async t => {
  const on = world()
  const directory = t.testdir()
  const summary = await start(on, graph(21, {}), { directory }).done
  t.match(summary, { status: 'completed', skipped: 4, acknowledged: 17, leaked: 0, dropped: 0 })
  t.strictSame(updated(t, directory).flat(), below(21).filter(isFine))
  t.equal(on.buffers.live, 0)
})

t.test('a full edge drops groups whole, and they count as done', async t => {
  const on = world()
  const directory = t.testdir()
  const edge = { whenFull: 'drop-oldest', capacity: { items: 2 } }
  const summary = await start(on, graph(40, edge), { directory }).done
  t.match(summary, { status: 'completed', leaked: 0 })
  t.ok(summary.dropped > 0, `${summary.dropped} dropped`)
  const prompts = updated(t, directory).flat()
  t.equal(prompts.length + summary.dropped + summary.skipped, 40)
  t.equal(new Set(prompts).size, prompts.length)
  t.equal(summary.acknowledged, prompts.length + summary.dropped)
  t.equal(on.buffers.live, 0)
})

for (const updates of [1, 2, 5]) {
  t.test(`a run aborted after update ${updates} repeats or keeps groups whole`, async t => {
    const directory = t.testdir()
    const on = world()
    let seen = 0
    const run: Run = start(on, graph(21, {}), {
      directory,
      onEvent: event => {
        if (event.type === 'record' && ++seen === updates) run.abort()
      },
    })
    t.equal((await run.done).status, 'aborted')
    t.equal(on.buffers.live, 0)
    const name = (await listCheckpoints(directory)).at(-1)
    const from = name === undefined ? undefined : join(checkpointsOf(directory), name)
    rewindFiles(directory, from ? JSON.parse(readFileSync(join(from, 'state.json'), 'utf8')).files : {})
    const again = world()
    const summary = await start(again, graph(21, {}), { directory, ...(from && { from }) }).done
    t.match(summary, { status: 'completed', skipped: 4, acknowledged: 17, leaked: 0 })
    t.strictSame(updated(t, directory).flat(), below(21).filter(isFine))
    t.equal(again.buffers.live, 0)
  })
}
