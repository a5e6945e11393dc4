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

t.test('a sum of which a part is not known is never told as 0 bytes', async t => {
  const lines: string[] = []
  const say = (line: string) => lines.push(line)
  const world = { registry: { operators, resources }, environment: {}, screen: { write: () => true } }
  // a model that is nowhere: all of its memory, and that of the nodes that use it, is not known
  const set = [
    '--set',
    'model=/nowhere/at-all',
    '--set',
    'groupsPerUpdate=2',
    '--learners',
    '2',
    '--workers',
    '2',
  ]
  const code = await command(['explain', 'flow:grpo.json', ...set], {
    ...{ ...world, print: say, complain: say, prepare: async () => {} },
  })
  t.equal(code, 0, lines.join('\n'))
  t.notMatch(lines.join('\n'), /(?<![\d.])0 B/)
  for (const text of [/the home part/, /a worker of rollouts/, /all processes together/])
    t.match(
      lines.find(line => text.test(line)),
      /not known$/,
      String(text),
    )
})

t.test('memory is planned before anything is downloaded, of a config.json alone', async t => {
  const asked = async (verb: string, model: string) => {
    const lines: string[] = []
    const say = (line: string) => lines.push(line)
    const world = { registry: { operators, resources }, environment: {}, screen: { write: () => true } }
    await command([verb, 'flow:grpo.json', '--set', `model=${model}`], {
      ...{ ...world, print: say, complain: say, prepare: async () => {} },
    })
    return lines.join('\n')
  }
  const planned = await asked('explain', 'builtin:configurations/released.json')
  t.match(planned, /^GPU memory at most\n(?: .*\n)* +together +\d+\.\d GB$/m)
  t.notMatch(planned, /^not known\n(?: +samples .*\n)* +(?!samples)\w/m, 'but for data that is not made yet')
  t.match(
    await asked('explain', 'nobody/nothing'),
    /nobody\/nothing: .*; to plan memory without it, name its config\.json alone \(https:\/\/huggingface\.co\/nobody\/nothing\/resolve\/main\/config\.json\)/,
  )
  t.match(
    await asked('check', 'builtin:configurations/released.json'),
    /released\.json: must be a checkpoint folder/,
    'nothing runs with it',
  )
})

t.test('with workers it says what all processes take, on one GPU and on several', async t => {
  const asked = async (...words: string[]) => {
    const lines: string[] = []
    const say = (line: string) => lines.push(line)
    const world = { registry: { operators, resources }, environment: {}, screen: { write: () => true } }
    const code = await command(['explain', ...words], {
      ...world,
      print: say,
      complain: say,
      prepare: async () => {},
    })
    t.equal(code, 0, lines.join('\n'))
    return lines
  }
  const bytes = (lines: readonly string[], text: RegExp) =>
    Number(/([\d.]+) MB$/.exec(lines.find(line => text.test(line)) ?? '')?.[1])
  const one = await asked('flow:grpo.json', '--workers', '2')
  const [home, worker] = [bytes(one, /the home part/), bytes(one, /a worker of rollouts/)]
  t.ok(Math.abs(bytes(one, /together, on one GPU/) - home - 2 * worker) < 0.2)
  const two = await asked('flow:grpo.json', '--gpus', '0,1')
  t.ok(Math.abs(bytes(two, /on the GPU that takes most/) - home - worker) < 0.2)
  const alone = await asked(
    'flow:infer.json',
    '--set',
    'video=a.mp4',
    '--set',
    'question=Q?',
    '--workers',
    '2',
  )
  t.ok(alone.includes('no worker takes any: the graph states no "parts"; --part names one'))
  t.notOk(
    one.some(line => line.includes(join(repository, 'graphs'))),
    'graphs by the names that commands take',
  )
})

t.test(
  'the params of a graph are told with type, default and meaning: by explain, --help and help',
  async t => {
    const asked = async (...words: string[]) => {
      const lines: string[] = []
      const say = (text: string) => lines.push(...text.split('\n'))
      const world = { registry: { operators, resources }, environment: {}, screen: { write: () => true } }
      const code = await command(words, { ...world, print: say, complain: say, prepare: async () => {} })
      return { code, lines }
    }
    const folder = t.testdir({
      'base.json': JSON.stringify({
        version: 1,
        summary: 'A base.',
        params: {
          data: { type: 'string', description: 'The rows.' },
          key: { type: 'string', env: 'MY_KEY', default: '', description: 'A key.' },
          limit: { type: 'integer', minimum: 0, default: 3, description: 'Rows at most.' },
          lists: { type: 'integer', default: 2, description: 'Lists.' },
          all: { type: 'integer', product: ['limit', 'lists'], description: 'All.' },
          rest: { type: 'integer', sum: ['limit', -1], description: 'The others.' },
          form: {
            type: 'string',
            enum: ['a', 'b'],
            default: 'a',
            description: `The form.${' Long.'.repeat(20)}`,
          },
        },
        nodes: { rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } } },
      }),
      'mine.json': JSON.stringify({ extends: './base.json', params: { limit: { default: 5 } } }),
    })
    const mine = join(folder, 'mine.json')
    const told = [
      '  data   string, required. The rows.',
      '  key    string, default the variable MY_KEY, else "". A key.',
      '  limit  integer >= 0, default 5. Rows at most.',
      '  lists  integer, default 2. Lists.',
      '  all    integer, default limit · lists. All.',
      '  rest   integer, default limit − 1. The others.',
      /^ {2}form {3}a \| b, default "a"\. The form\. Long/,
    ]
    for (const words of [
      ['run', mine, '--help'],
      ['check', '--set', 'data=x.json', mine, '-h'],
      ['help', 'explain', mine],
    ]) {
      const { code, lines } = await asked(...words)
      t.equal(code, 0)
      t.ok(lines[0]?.startsWith(`flow ${words.find(word => !['help'].includes(word))} GRAPH`), lines[0] ?? '')
      t.match(lines.slice(lines.indexOf('params: --set NAME=VALUE') + 1), told, words.join(' '))
      t.ok(
        lines.every(line => line.length <= 100),
        'lines of 100 columns',
      )
    }
    t.notMatch((await asked('ls', mine, '--help')).lines.join('\n'), /params:/, 'ls takes no --set')
    const { lines } = await asked(
      'explain',
      'flow:grpo.json',
      '--set',
      'group=4',
      '--set',
      'groupsPerUpdate=2',
    )
    const beginning = (text: string) => lines.some(line => line.startsWith(text))
    t.ok(beginning('  group            integer >= 2, default 8; here 4. Completions'), lines.join('\n'))
    t.ok(
      beginning('  questions        integer >= 1, default steps · groupsPerUpdate; here 288. Q'),
      'a product',
    )
    t.ok(
      beginning('  steps            integer >= 1, default 144. Updates'),
      'what is the default is told once',
    )
    t.match(await asked('run', join(folder, 'main.json'), '--help'), {
      code: 2,
      lines: [/main\.json: must be a file that can be read.*nearest "mine.json"/],
    })
    t.match(await asked('run', mine, '--steps', '4'), {
      code: 2,
      lines: [/must come with/, /leave it out here$/],
    })
  },
)
