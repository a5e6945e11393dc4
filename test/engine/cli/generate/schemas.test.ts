import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { publishedSchema } from '../../../../engine/graph/file/editor-schema.ts'
import { operators, resources } from '../../../../operators/index.ts'
import { kindSchemas } from '../../../../operators/kind-schemas.ts'
import { repository } from '../../../fixtures.ts'

const published = publishedSchema({ operators, resources })
/** Compiling takes longer than all checks. */
const check = new Ajv({ strict: true }).compile(published)

t.test('schemas/graph.json is what the code says', async t => {
  const file: unknown = JSON.parse(readFileSync(join(repository, 'schemas/graph.json'), 'utf8'))
  t.same(file, JSON.parse(JSON.stringify(published)), 'else run: node dist/engine/cli/generate/schemas.js')
})

t.test('the published schema knows operators, allows params and refuses the rest', async t => {
  const graph = (node: object) => ({ version: 1, summary: 'A test.', nodes: { a: node } })
  t.ok(check(graph({ operator: 'read.jsonl', config: { path: 'x', limit: 3 } })))
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
  t.ok(check(graph({ operator: 'read.jsonl', config: { path: 'x', limit: '${n}' } })))
  t.notOk(check(graph({ operator: 'read.jsonl', config: { path: 'x', limit: 'many' } })))
  t.notOk(check(graph({ operator: 'read.jsonl', config: { path: 'x', limits: 3 } })))
  t.notOk(check(graph({ operator: 'read.jsonl' })))
  t.notOk(check(graph({ operator: 'read.json' })))
})

t.test('the published schema names the inputs of an operator, and says what each part does', async t => {
  const graph = (from: object) => ({
    version: 1,
    summary: 'A test.',
    nodes: { a: { operator: 'stream.take', config: { count: 1 }, from } },
  })
  t.ok(check(graph({ items: 'b.items' })))
  t.notOk(check(graph({ item: 'b.items' })))
  const text = JSON.stringify(published)
  t.ok(text.includes(`{"const":"stream.take","description":"${operators['stream.take'].summary}"}`))
})

t.test('in a file that extends another, everything may be left out and null removes', async t => {
  t.ok(check({ extends: '../grpo.json' }))
  t.ok(
    check({
      extends: '../grpo.json',
      nodes: { update: { config: { beta: 0 } }, old: null },
      checkpoint: null,
    }),
  )
  t.ok(check({ extends: '../grpo.json', params: { group: { default: 4 } } }))
  t.notOk(check({ extends: '../grpo.json', nods: {} }))
  t.notOk(check({ extends: '../grpo.json', nodes: { update: { operator: 'grpo.updte' } } }))
  t.notOk(check({ extends: 3 }))
})

t.test('the published schema accepts every graph of ours', async t => {
  const folder = join(repository, 'graphs')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.json'),
  )
  for (const file of files)
    t.ok(
      check(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
      `${file}: ${JSON.stringify(check.errors)}`,
    )
})

t.test('schemas/kinds/ is what the code says, and Ajv compiles each in its strict mode', async t => {
  const folder = join(repository, 'schemas/kinds')
  t.same(
    readdirSync(folder).sort(),
    Object.keys(kindSchemas)
      .map(name => `${name}.json`)
      .sort(),
  )
  for (const [name, schema] of Object.entries(kindSchemas)) {
    const { $schema, title, ...rest } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))
    t.same(rest, schema, `${name}: else run node dist/engine/cli/generate/schemas.js`)
    t.match($schema, 'draft-07')
    t.equal(title, name)
    t.ok(new Ajv({ strict: true }).compile(rest))
  }
})
