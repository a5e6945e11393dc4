// A reader that says nothing of its rows: what comes after the schedule of the learning rate is told while it happens.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../fixtures.ts'
import { flowWords } from './flow-words.ts'

t.setTimeout(600_000)

t.test('updates after the end of the schedule are warned of once, since they change nothing', async t => {
  const clip = fixture('benchmarks/MMVU/videos/Mechanics/0.mp4')
  const folder = t.testdir({
    'rows.mjs': `
      import { operator } from '@flow-graphs/flow/operator'
      const rows = operator({
        summary: 'Gives four questions.', config: {}, inputs: {}, outputs: { samples: 'sample' },
        run: (_, config, context) => ({
          samples: context.source(async function* () {
            for (let i = 0; i < 4; i++)
              yield { key: String(i), value: {
                video: ${JSON.stringify(clip)}, question: 'what is seen?\\nA. one\\nB. two', solution: 'A', fields: {},
              } }
          }),
        }),
      })
      export const api = 1
      export const operators = { 'my.rows': rows }
    `,
  })
  const graph = {
    extends: 'flow:grpo.json',
    summary: 'GRPO on four questions.',
    plugins: ['./rows.mjs'],
    nodes: {
      samples: {
        operator: 'my.rows',
        config: Object.fromEntries(
          ['path', 'root', 'columns', 'answerForm', 'shuffle', 'epochs', 'limit'].map(name => [name, null]),
        ),
      },
    },
    params: Object.fromEntries(
      ['data', 'root', 'columns', 'answerForm', 'questions'].map(name => [name, null]),
    ),
  }
  writeFileSync(join(folder, 'g.json'), JSON.stringify(graph))
  const run = join(folder, 'run')
  const set = ['steps=2', 'group=2', 'maxNewTokens=4', 'frames=2'].flatMap(one => ['--set', one])
  const { text } = await flowWords(['run', join(folder, 'g.json'), ...set, '--out', run])
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n')
  t.equal(lines.length, 4, text)
  const log = readFileSync(join(run, 'log.txt'), 'utf8')
  t.equal(log.match(/update 3 comes after the 2 steps of the schedule/g)?.length, 1, log)
})
