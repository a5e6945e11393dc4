import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../../engine/cli/command.ts'
import { operators, resources } from '../../../../operators/index.ts'
import { repository } from '../../../fixtures.ts'

t.test('what is not made yet is said once, and that flow run makes it', async t => {
  const before = process.env.FLOW_CACHE
  process.env.FLOW_CACHE = t.testdir()
  t.teardown(() => {
    if (before === undefined) delete process.env.FLOW_CACHE
    else process.env.FLOW_CACHE = before
  })
  const lines: string[] = []
  const shapes = ['--set', 'model=builtin:shapes', '--set', 'data=builtin:shapes/train.jsonl']
  const print = (line: string) => lines.push(line)
  const code = await command(['explain', join(repository, 'graphs/grpo.json'), ...shapes], {
    registry: { operators, resources },
    environment: {},
    screen: { write: () => true },
    print,
    prepare: async () => {},
    complain: print,
  })
  t.equal(code, 0, lines.join('\n'))
  const found = lines.filter(line => line.includes('not made yet'))
  t.equal(found.length, 1, found.join('\n'))
  t.match(found[0], /policy, reference, samples, .*builtin:shapes: .*flow run makes it by itself/)
})
