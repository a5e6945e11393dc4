import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { flowWords } from '../../graphs/flow-words.ts'

t.test('at its end a run says how many items each node had, and how many a filter kept', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'flow-counts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  writeFileSync(at('rows.jsonl'), Array.from({ length: 12 }, (_, n) => `{"n":${n}}\n`).join(''))
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: at('rows.jsonl') } },
    small: { operator: 'stream.filter', config: { where: 'n < 7' }, from: { items: 'rows.items' } },
    lists: { operator: 'stream.batch', config: { size: 4 }, from: { items: 'small.items' } },
    file: { operator: 'write.jsonl', config: { path: at('out.jsonl') }, from: { items: 'lists.lists' } },
  }
  writeFileSync(at('g.json'), JSON.stringify({ version: 1, summary: 'Keeps some rows.', nodes }))
  const { code, text } = await flowWords(['run', at('g.json'), '--out', at('run')])
  t.equal(code, 0)
  t.match(
    text,
    /^rows 12 \([\d.]+ s\) {2}small 7 of 12 kept \([\d.]+ s\) {2}lists 7 \([\d.]+ s\) {2}file 2 \([\d.]+ s\)$/m,
  )
})

t.test(
  'a graph that makes a model says in words what it wrote, and counts no items that nobody takes',
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'flow-counts-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const at = (name: string) => join(folder, name)
    const made = async (name: string, operator: string, config: object) => {
      const nodes = { made: { operator, config } }
      writeFileSync(at(name), JSON.stringify({ version: 1, summary: 'Makes a model.', nodes }))
      const { code, text } = await flowWords(['run', at(name), '--out', at(`${name}-run`)])
      t.equal(code, 0, text)
      t.notMatch(text, /\b0 \(/)
      return readFileSync(at(`${name}-run/log.txt`), 'utf8')
    }
    const random = await made('random.json', 'model.random', { folder: at('model') })
    t.ok(random.includes(`made: wrote ${at('model')}: a model with random weights`), random)
    const integers = { path: at('model'), folder: at('int8'), weights: 'int8', groupSize: 32 }
    const text = await made('integers.json', 'model.quantise', integers)
    t.match(text, /made: wrote .*int8: the model .*model, with \d+ layers as int8/)
  },
)
