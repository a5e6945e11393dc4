import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'

async function call(...words: readonly string[]) {
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  const code = await command(['new', 'checkpoint', ...words], {
    registry: { operators: {}, resources: {} },
    environment: {},
    screen: { write: () => true },
    print,
    prepare: async () => {},
    complain: print,
  })
  return { code, lines }
}

const config = 'builtin:configurations/small.json'

t.test('a checkpoint is written in the type asked for, and a second one does not replace it', async t => {
  const folder = join(t.testdir(), 'model')
  const first = await call('--config', config, '--out', folder, '--dtype', 'float32', '--seed', '5')
  t.equal(first.code, 0)
  t.match(first.lines, [/^wrote .*model\.safetensors, 1\.\d\d MB$/, /is complete: 1\.\d\d MB in /])
  const { tensors } = await openCheckpoint(folder)
  t.ok([...tensors.values()].every(({ dtype }) => dtype === 'F32'))
  const second = await call('--config', config, '--out', folder)
  t.equal(second.code, 2)
  t.match(second.lines, [/config\.json: already exists/])
})

for (const [words, complaint] of [
  [[], /needs --config FILE and --out DIR/],
  [['--config', config], /needs --config FILE and --out DIR/],
  [
    ['--config', config, '--out', 'x', '--seed', '1.5'],
    /--seed: must be a whole number from 0 on, found 1.5/,
  ],
  [
    ['--config', config, '--out', 'x', '--dtype', 'int8'],
    /--dtype: must be one of bfloat16, float16, float32/,
  ],
  [['--config', 'none.json', '--out', 'x'], /none\.json: no such file/],
] as const)
  t.test(`"${words.join(' ')}" is refused`, async t => {
    const { code, lines } = await call(...words)
    t.equal(code, 2)
    t.match(lines.join('\n'), complaint)
  })
