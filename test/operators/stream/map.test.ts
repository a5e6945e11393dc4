import { join } from 'node:path'
import t, { type Test } from 'tap'
import { operators } from '../../../operators/index.ts'
import { runGraph } from '../run-graph.ts'

const rows = 'title,file,seconds\nWhy,1.mp4,12\nWho,2.mp4,90\n'

/** What comes of the rows after one more node. */
async function after(test: Test, operator: string, config: object, text = rows) {
  const folder = test.testdir({ 'rows.csv': text })
  const nodes = {
    rows: { operator: 'read.csv', config: { path: join(folder, 'rows.csv') } },
    next: { operator, config, from: { items: 'rows.items' } },
    seen: { operator: 'collect', from: { items: 'next.items' } },
  }
  const run = await runGraph({ nodes }, operators, { directory: join(folder, 'run') })
  return {
    values: run.items.map(({ value }) => value),
    keys: run.items.map(({ key }) => key),
    error: run.error?.message ?? '',
  }
}

t.test('map makes fields of expressions', async t => {
  const fields = { question: "title & '?'", video: 'file', fields: '{ "long": $number(seconds) > 60 }' }
  const { values, keys } = await after(t, 'stream.map', { fields })
  t.same(values, [
    { question: 'Why?', video: '1.mp4', fields: { long: false } },
    { question: 'Who?', video: '2.mp4', fields: { long: true } },
  ])
  t.same(keys, ['1:1', '1:2'])
  const kept = await after(t, 'stream.map', { fields: { seconds: '$number(seconds)' }, keep: true })
  t.same(kept.values[0], { title: 'Why', file: '1.mp4', seconds: 12 })
})

t.test('an expression that finds nothing, fails or does not end names the item and what it has', async t => {
  const nothing = await after(t, 'stream.map', { fields: { question: 'titel' } })
  t.match(
    nothing.error,
    /item "1:1": fields.question "titel": must find something, found nothing; the item has title, file, seconds/,
  )
  const fails = await after(t, 'stream.map', { fields: { n: '$number(title)' } })
  t.match(fails.error, /item "1:1": fields.n .*Unable to cast value to a number/)
  const endless = await after(t, 'stream.map', {
    fields: { n: '($f := function($x) { $f($x + 1) }; $f(1))' },
    seconds: 0.2,
  })
  t.match(endless.error, /takes longer than 0.2 s|deeper than 500 calls/)
  const torn = await after(t, 'stream.map', { fields: { n: 'title &' } })
  t.match(torn.error, /fields.n: must be a JSONata expression, found "title &"/)
})

t.test('a template is a text with expressions in it; a number in it is written as JSON', async t => {
  const templates = { question: '{title}?\nA. {seconds} s, {$number(seconds) * 2}', video: 'clips/{file}' }
  const { values } = await after(t, 'stream.map', { templates })
  t.same(values[1], { question: 'Who?\nA. 90 s, 180', video: 'clips/2.mp4' })
})

for (const [templates, error] of [
  [{ q: '{titel}?' }, /item "1:1": templates.q "\{titel\}": must find something, found nothing/],
  [{ q: 'no braces' }, /templates.q: must be a text with \{expression\} in it/],
  [{ q: '{title} and {' }, /templates.q: must be a text with \{expression\} in it, each with both braces/],
  [{ q: 3 }, /templates.q: must be a text with \{expression\} in it, found 3/],
  [{}, /fields: must state a field, or "templates" must, found \{\}/],
] as const)
  t.test(`the templates ${JSON.stringify(templates)} are refused with the reason`, async t => {
    t.match((await after(t, 'stream.map', { templates })).error, error)
  })

t.test('filter passes what its expression is true for, and refuses one that is neither', async t => {
  t.same((await after(t, 'stream.filter', { where: '$number(seconds) < 60' })).keys, ['1:1'])
  t.match(
    (await after(t, 'stream.filter', { where: 'title' })).error,
    /item "1:1": where "title": must be true or false, found "Why"/,
  )
})

t.test('select keeps fields, and names the nearest one when there is none of a name', async t => {
  t.same((await after(t, 'stream.select', { fields: ['file'] })).values, [
    { file: '1.mp4' },
    { file: '2.mp4' },
  ])
  t.match(
    (await after(t, 'stream.select', { fields: ['fil'] })).error,
    /item "1:1": must have the field "fil", found title, file, seconds \(nearest "file"\)/,
  )
})

t.test('a table without rows is an error', async t => {
  t.match((await after(t, 'stream.select', { fields: ['a'] }, 'a,b\n')).error, /must hold at least one row/)
})
