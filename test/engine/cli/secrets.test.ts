import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { operator } from '../../../engine/operator.ts'
import { testBed } from '../support.ts'

const secret = 'hunter2 "quoted" \\ secret'

/** Tells what it was given in every way that an operator has, and fails at 3. */
const gossip = operator({
  summary: 'Tells secrets.',
  config: { token: { type: 'string', description: 'The secret.' } },
  inputs: { numbers: 'number' },
  outputs: { texts: 'text' },
  run: ({ numbers }, { token }, context) => ({
    texts: numbers.pipe(
      context.each((value: number, { key }) => {
        context.log(`token ${token}`, 'debug')
        context.record('metrics', { key, step: value + 1, reward: value, token, [`of ${token}`]: value })
        context.record('samples', { key, reward: value, deep: [{ token }] })
        context.manifest('told', { token })
        if (value === 3) throw new Error(`refused ${token}`)
        return `${token} ${value}`
      }),
    ),
  }),
})

async function call(...words: string[]) {
  let out = ''
  const say = (line: string) => {
    out += `${line}\n`
  }
  const world = { print: say, complain: say, screen: { write: say }, prepare: async () => {} }
  const { registry } = testBed({ operators: { gossip } })
  const code = await command(words, { ...world, registry, environment: { TOKEN: secret } })
  return { code, out }
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
function graphsIn(folder: string) {
  const part = {
    version: 1,
    summary: 'A part.',
    params: { token: { type: 'string', description: 'The secret.' } },
    inputs: { numbers: 'told.numbers' },
    outputs: { texts: 'told.texts' },
    nodes: { told: { operator: 'gossip', config: { token: '${token}' }, from: {} } },
  }
  const graph = (onError: string, type = 'string') => ({
    version: 1,
    summary: 'Keeps a secret.',
    params: { token: { type, env: 'TOKEN', description: 'The secret.' } },
    nodes: {
      numbers: { operator: 'range', config: { count: 5 } },
      own: {
        operator: 'gossip',
        config: { token: '${token}' },
        onError,
        from: { numbers: 'numbers.numbers' },
      },
      part: { graph: './part.json', params: { token: '${token}' }, from: { numbers: 'numbers.numbers' } },
      out: { operator: 'collect', from: { items: ['own.texts', 'part.texts'] } },
    },
  })
  const write = (name: string, value: object) => {
    writeFileSync(join(folder, name), JSON.stringify(value))
    return join(folder, name)
  }
  write('part.json', part)
  return {
    skip: write('skip.json', graph('skip')),
    stop: write('stop.json', graph('stop')),
    wrong: write('wrong.json', graph('stop', 'integer')),
  }
}

const tells = (text: string) => text.includes('hunter2')

t.test('a value from the environment is in no file of a run and no line that is shown', async t => {
  const folder = t.testdir()
  const { skip, stop } = graphsIn(folder)
  for (const [name, file] of Object.entries({ skip, stop })) {
    const run = join(folder, name)
    const { code, out } = await call('run', file, '--out', run, '--log-level', 'debug')
    t.equal(code, 1, out)
    t.match(out, /refused \$\{env:TOKEN\}/)
    t.notOk(tells(out), out)
    const files = readdirSync(run, { recursive: true, encoding: 'utf8' }).filter(path =>
      statSync(join(run, path)).isFile(),
    )
    for (const path of [
      'manifest.json',
      'metrics.jsonl',
      'samples.jsonl',
      'log.jsonl',
      'log.txt',
      'report.html',
      'status.json',
    ])
      t.ok(files.includes(path), path)
    t.ok(files.some(path => path.startsWith('events.out.tfevents')))
    for (const path of files) t.notOk(tells(readFileSync(join(run, path), 'latin1')), `${name}/${path}`)
    const [first] = readFileSync(join(run, 'metrics.jsonl'), 'utf8').split('\n')
    t.match(JSON.parse(first), { step: 1, token: '${env:TOKEN}' }, 'what is written stays JSON')
    const again = await call('replay', run, '--item', '1')
    t.equal(again.code, 0, again.out)
    t.notOk(tells(again.out), again.out)
  }
})

t.test('what controls a terminal is written out in the logs', async t => {
  const folder = t.testdir()
  const { stop } = graphsIn(folder)
  const run = join(folder, 'run')
  const set = ['--set', 'nodes.own.config.token=\u001b[2J\u009b31m\u202e', '--log-level', 'debug']
  await call('run', stop, '--out', run, ...set)
  const texts = ['log.txt', 'log.jsonl'].map(name => readFileSync(join(run, name), 'utf8'))
  for (const text of texts) {
    t.match(text, /token \\u001b\[2J\\u009b31m\\u202e/)
    for (const control of ['\u001b', '\u009b', '\u202e']) t.notOk(text.includes(control))
  }
  const lines = readFileSync(join(run, 'log.jsonl'), 'utf8').trim().split('\n')
  t.ok(lines.some(line => JSON.parse(line).message.includes('\u001b[2J\u009b31m\u202e')))
})

t.test('no verb shows it, and no message about it', async t => {
  const { skip, wrong } = graphsIn(t.testdir())
  for (const words of [
    ['check', wrong],
    ['check', skip],
    ['explain', skip],
    ['graph', skip],
    ['diff', skip, wrong],
  ]) {
    const { out } = await call(...words)
    t.notOk(tells(out), `${words[0]}: ${out}`)
  }
  const { code, out } = await call('check', wrong)
  t.equal(code, 2)
  t.match(out, /\$\{env:TOKEN\}: must be a whole number/)
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
