import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import batch from '../../../operators/stream/batch.ts'
import { bench } from '../support.ts'

/** Runs a command in this process, with the operators of the tests and `stream.batch`. */
async function call(words: readonly string[]) {
  const { registry } = bench({ operators: { 'stream.batch': batch } })
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
    t.match(complaints, /nodes\.rows\.config: must have "count"/)
    t.match(complaints, /nodes\.rows\.config\.cont: must be a known key, found "cont" \(nearest "count"\)/)
    t.match(complaints, /nodes\.out\.onEror: must be a known key, found "onEror" \(nearest "onError"\)/)
  }
})

t.test('a graph that is not there exits 2', async t => {
  const { code, complaints } = await call(['check', 'no-such.json'])
  t.equal(code, 2)
  t.match(complaints, /^no-such\.json: must be a file that can be read, found ENOENT/)
})

t.test('unknown verbs, flags and values exit 2 with what is near', async t => {
  const cases = [
    [['rnu'], /^rnu: must be a verb \(nearest "run"\)/],
    [['run', 'g.json', '--seeed', '1'], /^--seeed: must be a flag of "flow run" \(nearest "seed"\)/],
    [['run', 'g.json', '--seed', '-1'], /^--seed: must be a whole number from 0 to 4294967295, found "-1"/],
    [['run', 'g.json', '--seed'], /^--seed: must be followed by N/],
    [['run'], /^must name one graph file, found nothing/],
    [['graph', 'g.json', '--format=png'], /^--format: must be one of mermaid, dot, svg, found "png"/],
    [['ops', 'stream.btch'], /^stream\.btch: must be an operator or a resource \(nearest "stream\.batch"\)/],
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
  t.match((await call(['ops', 'stream.batch'])).out, / size +integer >= 1 +8 +Most items in one list/)
  t.match((await call(['graph', path])).out, /^flowchart LR\n[\s\S]*n0 -->\|"numbers → items"\| n1/)
  t.match(
    (await call(['graph', path, '--format', 'dot'])).out,
    /"rows" -> "lists" \[label="numbers → items"\]/,
  )
  t.match((await call(['help'])).out, /flow run /)
  t.match((await call(['run', '--help'])).out, /--seed N[\s\S]*Example:\nnpx flow run/)
})
