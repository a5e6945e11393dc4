// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import t from 'tap'
import { checkGraph } from '../../../../engine/graph/check.ts'
import { asInGraph } from '../../../../engine/graph/flatten/param-at.ts'
import { partsOf } from '../../../../engine/graph/plan.ts'
import { graphText, testBed } from '../../support.ts'

const param = (value: number) => ({ type: 'integer', default: value, description: 'A number.' })

const inner = graphText(
  {
    given: { operator: 'work', config: { copies: '${copies}' } },
    left: { operator: 'work', config: { copies: '${other}' }, from: { numbers: 'given.numbers' } },
    plain: { operator: 'work', config: { copies: 1 }, from: { numbers: 'left.numbers' } },
  },
  {
    params: { copies: param(1), other: param(1) },
    inputs: { numbers: 'given.numbers' },
    outputs: { numbers: 'plain.numbers' },
  },
)

const outer = graphText(
  {
    count: { operator: 'range', config: { count: '${items}' } },
    sub: { graph: './p.json', params: { copies: '${times}' }, from: { numbers: 'count.numbers' } },
    end: { operator: 'collect', from: { items: 'sub.numbers' } },
  },
  { params: { items: param(3), times: param(1) } },
)

const planOf = (set: readonly string[] = []) => {
  const { plan, problems } = checkGraph('g.json', testBed().registry, {
    set,
    read: file => (file === 'g.json' ? outer : inner),
  })
  if (!plan) throw new Error(JSON.stringify(problems))
  return plan
}

t.test('a field is set by the param that it is, also from within a sub-graph, or else by its path', t => {
  const parts = new Map(partsOf(planOf()).map(part => [part.name, part]))
  const setting = (name: string, field: string) => parts.get(name)?.setting(field)
  const settings = {
    items: setting('count', 'count'),
    times: setting('sub/given', 'copies'),
    'nodes.sub.params.other': setting('sub/left', 'copies'),
    'nodes.sub/plain.config.copies': setting('sub/plain', 'copies'),
    'nodes.sub/given.config.concurrency': setting('sub/given', 'concurrency'),
  }
  for (const [wanted, found] of Object.entries(settings)) t.equal(found, wanted)
  for (const wanted of Object.keys(settings)) {
    const { nodes } = planOf([`${wanted}=2`])
    t.ok(
      nodes.some(({ config }) => Object.values(config).includes(2)),
      `--set ${wanted}=2 reaches its node`,
    )
  }
  t.end()
})

t.test('words of an operator about its fields name the settings of the graph', t => {
  const at = planOf().nodes.find(({ name }) => name === 'sub/given')?.at
  const say = (words: string) => asInGraph(words, at, { copies: {}, concurrency: {} })
  t.equal(
    say('--set copies=4, or --set concurrency=1'),
    '--set times=4, or --set nodes.sub/given.config.concurrency=1',
  )
  t.equal(
    say('--set other=4 and --set nodes.x.config.copies=1'),
    '--set other=4 and --set nodes.x.config.copies=1',
  )
  const command = 'flow run flow:merge.json --set copies=DIR'
  t.equal(say(command), command, 'a command is about the graph that it names')
  t.end()
})
