import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { operator, resource } from '../../../engine/operator.ts'
import batch from '../../../operators/stream/batch.ts'
import { testBed } from '../support.ts'

/** Runs a command in this process, with the operators of the tests and `stream.batch`. */
async function call(words: readonly string[]) {
  const { registry } = testBed({ operators: { 'stream.batch': batch } })
  let out = ''
  let complaints = ''
  const code = await command(words, {
    registry,
    environment: {},
    screen: { write: text => (out += text) },
    print: line => {
      out += `${line}\n`
    },
    prepare: async () => {},
    complain: line => {
      complaints += `${line}\n`
    },
  })
  return { code, out, complaints }
}

const graph = (config: object, rest: object = {}) =>
  JSON.stringify({
    version: 1,
    summary: 'Counts.',
    nodes: {
      rows: { operator: 'range', config },
      lists: { operator: 'stream.batch', config: { size: 2 }, from: { items: 'rows.numbers' } },
      out: { operator: 'collect', from: { items: 'lists.lists' }, ...rest },
    },
  })

t.test('run, check and graph refuse a wrong graph alike', async t => {
  const path = join(t.testdir({ 'g.json': graph({ cont: 3 }, { onEror: 'skip' }) }), 'g.json')
  for (const verb of ['run', 'check', 'graph']) {
    const { code, complaints } = await call([verb, path])
    t.equal(code, 2)
    t.notMatch(complaints, /must have "count"/, 'it is there, under a wrong name')
    t.match(complaints, /nodes\.rows\.config\.cont: must be a known key, found "cont" \(nearest "count"\)/)
    t.match(complaints, /nodes\.out\.onEror: must be a known key, found "onEror" \(nearest "onError"\)/)
  }
})

t.test('a graph that is not there exits 2', async t => {
  const { code, complaints } = await call(['check', 'no-such.json'])
  t.equal(code, 2)
  t.match(complaints, /^no-such\.json: must be a file that can be read, found no such file/)
})

t.test('unknown verbs, flags and values exit 2 with what is near', async t => {
  const cases = [
    [['rnu'], /^rnu: must be a verb \(nearest "run"\)/],
    [['run', 'g.json', '--seeed', '1'], /^--seeed: must be a flag of "flow run" \(nearest "seed"\)/],
    [['run', 'g.json', '--seed', '-1'], /^--seed: must be a whole number from 0 to 4294967295, found "-1"/],
    [['run', 'g.json', '--seed'], /^--seed: must be followed by N/],
    [['run'], /^flow run: must name one graph file, found nothing/],
    [['graph', 'g.json', '--format=png'], /^--format: must be one of mermaid, dot, svg, found "png"/],
    [
      ['ops', 'stream.btch'],
      /^stream\.btch: must be an operator, a resource or a part \(nearest "stream\.batch"\)/,
    ],
  ] as const
  for (const [words, expected] of cases) {
    const { code, complaints } = await call(words)
    t.equal(code, 2, words.join(' '))
    t.match(complaints, expected)
  }
})

t.test('check, ops, graph and help answer', async t => {
  const path = join(t.testdir({ 'g.json': graph({ count: 3 }) }), 'g.json')
  t.match((await call(['check', path])).out, /g\.json: ok, 3 nodes, 2 edges, 0 resources\n$/)
  t.match((await call(['ops'])).out, /stream\.batch +Collects items into lists/)
  t.match(
    (await call(['ops', 'stream.batch'])).out,
    / size +integer >= 1 +8 +Largest number of items in a list/,
  )
  t.match((await call(['graph', path])).out, /^flowchart LR\n[\s\S]*n0 -->\|"numbers → items"\| n1/)
  t.match(
    (await call(['graph', path, '--format', 'dot'])).out,
    /"rows" -> "lists" \[label="numbers → items"\]/,
  )
  t.match((await call(['help'])).out, /flow run /)
  t.match((await call(['run', '--help'])).out, /--seed N[\s\S]*Example:\nnpx --no flow run/)
})

t.test(
  'a run that may need more than --memory is refused before anything opens, with what to lower',
  async t => {
    const opened: string[] = []
    const { registry } = testBed()
    const model = resource({
      summary: 'Weighs much.',
      config: { gigabytes: { type: 'integer', minimum: 1, description: 'Its weight.' } },
      kind: 'model',
      memory: ({ gigabytes }) => [{ what: 'weights', bytes: gigabytes * 1e9, knob: 'gigabytes' }],
      open: async () => opened.push('model'),
      close: () => {},
    })
    const uses = operator({
      summary: 'Uses a model.',
      config: {
        model: { type: 'string', resource: 'model', description: 'The model.' },
        rows: { type: 'integer', default: 2, description: 'Rows.' },
      },
      inputs: { numbers: 'number' },
      outputs: {},
      memory: ({ rows }) => [{ what: 'activations', bytes: rows * 1e9, knob: 'rows' }],
      run: ({ numbers }, _, context) => {
        opened.push('uses')
        return { none: numbers.pipe(context.each(() => undefined)) }
      },
    })
    const folder = t.testdir({
      'g.json': JSON.stringify({
        version: 1,
        summary: 'S.',
        resources: { big: { resource: 'model', config: { gigabytes: 5 } } },
        nodes: {
          rows: { operator: 'range', config: { count: 1 } },
          uses: { operator: 'uses', config: { model: 'big' }, from: { numbers: 'rows.numbers' } },
        },
      }),
    })
    let complaints = ''
    const world = {
      registry: { operators: { ...registry.operators, uses }, resources: { model } },
      environment: {},
      screen: { write: () => {} },
      print: () => {},
      prepare: async () => {
        opened.push('prepared')
      },
      complain: (line: string) => {
        complaints += `${line}\n`
      },
    }
    const words = ['run', join(folder, 'g.json'), '--out', join(folder, 'run'), '--memory']
    t.equal(await command([...words, '6GB'], world), 2)
    t.equal(
      complaints,
      [
        '--memory: the run must fit into 6 GB, found a plan of 7 GB',
        '  big takes 5 GB (weights): lower resources.big.config.gigabytes',
        '  uses takes 2 GB (activations): lower nodes.uses.config.rows',
        '    fix:  lower what is named; "flow explain" shows every part',
        '',
      ].join('\n'),
    )
    t.same(opened, [])
    t.notOk(existsSync(join(folder, 'run')), 'not even the run directory')
    t.equal(await command([...words, '7GB'], world), 0)
    t.same(opened, ['prepared', 'model', 'uses'])
    t.equal(
      await command([...words.slice(0, -3), '--out', join(folder, 'other'), '--memory', 'much'], world),
      2,
    )
    t.match(complaints, /--memory: must be bytes such as 8GB or 512MiB, found "much"/)
  },
)

t.test('the log is shown from a level on, and kept whole as JSON lines', async t => {
  const box = { resource: 'box', config: { name: 'small' } }
  const text = JSON.stringify({
    version: 1,
    summary: 'Counts.',
    resources: { box, outer: { resource: 'box', config: { name: 'large', inner: 'box' } } },
    nodes: {
      rows: { operator: 'range', config: { count: 3 } },
      work: {
        operator: 'work',
        config: { failAt: 1 },
        onError: 'skip',
        from: { numbers: 'rows.numbers' },
      },
      keeps: { operator: 'keeps', config: { box: 'outer' }, from: { numbers: 'work.numbers' } },
    },
  })
  const keeps = operator({
    summary: 'Names a box.',
    config: { box: { type: 'string', resource: 'box', description: 'The box.' } },
    inputs: { numbers: 'number' },
    outputs: {},
    run: ({ numbers }, _, context) => ({ none: numbers.pipe(context.each(() => undefined)) }),
  })
  const folder = t.testdir({ 'g.json': text })
  const shown = async (...words: string[]) => {
    let out = ''
    const say = (line: string) => {
      out += `${line}\n`
    }
    const { registry } = testBed({ operators: { keeps } })
    const world = { registry, environment: {}, screen: { write: say }, prepare: async () => {} }
    const run = join(folder, words.join('-') || 'plain')
    const all = ['run', join(folder, 'g.json'), '--out', run, ...words]
    t.equal(await command(all, { ...world, print: say, complain: say }), 0, out)
    const entries = readFileSync(join(run, 'log.jsonl'), 'utf8').trim().split('\n')
    return { out, entries: entries.map(line => JSON.parse(line)) }
  }
  const kept = [
    { level: 'debug', node: 'box', message: /^box: opened \(box\) in \d+\.\d s$/, time: /^\d{4}-/ },
    { level: 'debug', node: 'outer' },
    { level: 'warn', node: 'work', message: 'work: skipped item "1": boom' },
  ]
  const plain = await shown()
  t.match(plain.entries, kept)
  t.match(plain.out, /^warn: work: skipped item/m)
  t.notMatch(plain.out, /opened/)
  t.match((await shown('--log-level', 'debug')).out, /^debug: outer: opened[\s\S]*^warn: work: skipped/m)
  const grave = await shown('--log-level', 'error')
  t.match(grave.entries, kept, 'files keep what the screen leaves out')
  t.notMatch(grave.out, /skipped item|opened/)
})
