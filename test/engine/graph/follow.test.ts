// What is said of rows that a reader makes questions of is said of those that stream.map makes, too: by `flow check`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { registry } from '../../../engine/cli/registry.ts'
import { checkGraph } from '../../../engine/graph/check.ts'
import { inspectPlan } from '../../../engine/graph/inspect.ts'
import { make } from '../../operators/video/clips.ts'

const rows = [
  { clip: 'red.mp4', q: 'Which?', choices: ['left', 'right'], label: 'A' },
  { clip: 'red.mp4', q: 'Which?', choices: ['left', 'right'], label: 'E' },
  { clip: 'red.mp4', q: 'Which?', choices: ['left', 'right'], label: 'right' },
  { clip: 'none.mp4', q: 'Which?', choices: ['left', 'right'], label: 'B' },
]

/** What a check says of rows that are mapped to questions and decoded. */
async function said(
  folder: string,
  map: object,
  { skip, where = 'true' }: { skip?: number; where?: string } = {},
) {
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: `${folder}/rows.jsonl`, epochs: 2 } },
    kept: { operator: 'stream.filter', config: { where }, from: { items: 'rows.items' } },
    made: { operator: 'stream.map', config: map, from: { items: 'kept.items' } },
    clips: {
      operator: 'video.decode',
      ...(skip !== undefined && { onError: { skip } }),
      from: { samples: 'made.items' },
    },
    facts: { operator: 'video.describe', from: { clips: 'clips.clips' } },
    file: { operator: 'write.jsonl', config: { path: `${folder}/out.jsonl` }, from: { items: 'facts.rows' } },
  }
  const text = JSON.stringify({ version: 1, summary: 'Maps rows.', nodes })
  const { plan, problems } = checkGraph('g.json', registry, { read: () => text })
  if (!plan) throw new Error(JSON.stringify(problems))
  const found = await inspectPlan(plan, () => undefined)
  const told = (all: typeof found.problems) =>
    all.map(({ path, rule, details = [] }) => [path, rule, ...details].join('\n').replaceAll(folder, 'DIR'))
  return { problems: told(found.problems), warnings: told(found.warnings) }
}

const templates = (folder: string) => ({
  templates: { video: `${folder}/{clip}`, question: '{q}\nA. {choices[0]}\nB. {choices[1]}' },
  fields: { solution: 'label' },
})

t.test('clips and answers of mapped rows are looked at, each once', async t => {
  const folder = t.testdir({ 'rows.jsonl': rows.map(row => JSON.stringify(row)).join('\n') })
  await make(folder, '-f lavfi -i testsrc=duration=1:size=64x48:rate=4 -pix_fmt yuv420p @red.mp4')
  const gold =
    'nodes.clips.config\nmust have solutions among the options\n' +
    '2 of 4 rows: DIR/rows.jsonl:2: "E" is none of A, B, DIR/rows.jsonl:3: "right" is none of A, B [gold-not-offered]'
  const clips =
    'nodes.clips.config\nmust name clips that can be decoded\n1 missing-clip: DIR/none.mp4 (DIR/rows.jsonl:4) [broken-clips]'
  t.same(await said(folder, templates(folder)), { problems: [clips], warnings: [gold] })
  t.same(await said(folder, templates(folder), { skip: 0.5 }), { problems: [], warnings: [clips, gold] })
  t.same(await said(folder, templates(folder), { where: 'label = "A"' }), { problems: [], warnings: [] })
})

t.test('rows that are made into something else are told with file and line', async t => {
  const folder = t.testdir({ 'rows.jsonl': rows.map(row => JSON.stringify(row)).join('\n') })
  const { problems } = await said(folder, { fields: { video: '3', question: 'q' } })
  t.equal(problems.length, 1)
  t.match(
    problems[0],
    /^nodes\.clips\.config\nmust get items of the kind of its input "samples": 4 of 4 are not\nDIR\/rows\.jsonl:1: must be of kind "sample": video: must be a string, found 3/,
  )
  const lost = await said(folder, { fields: { video: 'clip', question: 'lable' } })
  t.match(lost.problems, [
    /^nodes\.made\.config\n.*\nDIR\/rows\.jsonl:1: item "1": fields\.question "lable": must find something/,
  ])
})

/** What a check says of a node that reads fields of rows, and is the last that it can follow. */
async function saidOf(folder: string, operator: string, config: object) {
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: `${folder}/rows.jsonl` } },
    node: { operator, config, from: { items: 'rows.items' } },
    file: { operator: 'write.jsonl', config: { path: `${folder}/out.jsonl` }, from: { items: 'node.items' } },
  }
  const text = JSON.stringify({ version: 1, summary: 'Reads fields.', nodes })
  const { plan, problems } = checkGraph('g.json', registry, { read: () => text })
  if (!plan) throw new Error(JSON.stringify(problems))
  const found = await inspectPlan(plan, () => undefined)
  const told = [...found.problems, ...found.warnings].flatMap(({ details = [] }) => details)
  return told.join('\n').replaceAll(folder, 'DIR')
}

t.test(
  'names of fields that the rows do not have are told with the nearest, wherever a config states them',
  async t => {
    const size = [
      { label: 'A', size: 2 },
      { label: 'B', size: 1 },
    ]
    const folder = t.testdir({ 'rows.jsonl': size.map(row => JSON.stringify(row)).join('\n') })
    const wrong: readonly (readonly [string, object, RegExp])[] = [
      [
        'stream.sort',
        { by: 'sise' },
        /^DIR\/rows\.jsonl:1: item "1": sise must be a number .*\(nearest "size"\)/,
      ],
      ['stream.select', { fields: ['lable'] }, /^DIR\/rows\.jsonl:1: .* \(nearest "label"\)/],
      ['stream.filter', { where: 'lable = "A"' }, /^none of 2 rows; it has no "lable", nearest "label"/],
      [
        'stream.filter',
        { where: 'sise > 1' },
        /must be true or false, found nothing; it has no "sise", nearest "size"/,
      ],
      [
        'stream.map',
        { fields: { a: 'lable' } },
        /^DIR\/rows\.jsonl:1: .*; it has no "lable", nearest "label"/,
      ],
      [
        'stream.map',
        { templates: { a: '{lable}.' } },
        /^DIR\/rows\.jsonl:1: .*; it has no "lable", nearest "label"/,
      ],
    ]
    for (const [operator, config, message] of wrong)
      t.match(await saidOf(folder, operator, config), message, operator)
    const right: readonly (readonly [string, object])[] = [
      ['stream.sort', { by: 'size' }],
      ['stream.select', { fields: ['label'] }],
      ['stream.filter', { where: 'label = "A"' }],
      ['stream.map', { fields: { a: 'label' }, templates: { b: '{size}' } }],
    ]
    for (const [operator, config] of right) t.equal(await saidOf(folder, operator, config), '', operator)
  },
)

t.test('fields of questions are checked after the nodes that make groups of questions', async t => {
  const row = {
    video: 'red.mp4',
    question: 'Which?',
    a: 'x',
    b: 'y',
    answer: 'A',
    chosen: 'x',
    rejected: 'y',
  }
  const folder = t.testdir({ 'rows.jsonl': JSON.stringify(row) })
  await make(folder, '-f lavfi -i testsrc=duration=1:size=64x48:rate=4 -pix_fmt yuv420p @red.mp4')
  const said = async (node: string, config: object) => {
    const graph = {
      version: 1,
      summary: 'Reads fields of questions.',
      extends: 'flow:examples/curriculum.json',
      params: { data: { default: join(folder, 'rows.jsonl') } },
      nodes: { [node]: config },
    }
    writeFileSync(join(folder, 'g.json'), JSON.stringify({ ...graph, version: undefined }))
    const { plan, problems } = checkGraph(join(folder, 'g.json'), registry, { set: [] })
    if (!plan) throw new Error(JSON.stringify(problems))
    const found = await inspectPlan(plan, () => undefined)
    const lines = found.problems.flatMap(({ details = [] }) => details)
    return lines.filter(line => line.includes('unknown-field')).join('\n')
  }
  t.equal(
    await said('easiest', { config: { by: 'fields.meanRewards' } }),
    'no question has the field "meanRewards" (nearest "meanReward") [unknown-field]',
  )
  t.equal(await said('easiest', { config: { by: 'fields.chosen' } }), '', 'a field of the rows')
  const texts = (fields: string[]) => ({
    operator: 'group.texts',
    config: { model: 'policy', fields },
    from: { prompts: 'prompts.prompts' },
  })
  t.match(
    await said('texts', texts(['chosen', 'rejcted'])),
    'no row has the field "rejcted" (nearest "rejected") [unknown-field]',
  )
  t.notMatch(await said('texts', texts(['chosen', 'rejected'])), 'unknown-field')
})
