import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture, repository } from '../../../fixtures.ts'
import { told, withNames } from '../told.ts'
import type { Fault } from './fault.ts'
import { faults } from './faults.ts'

t.setTimeout(800_000)
// a run with this name would find no device: nothing here may open one
process.env.FLOW_ADAPTER = 'none of this name'

const shipped = join(repository, 'operators/shapes/cold-start')
const clips = join(repository, 'graphs/demo/quiz/videos')

/** A folder with a model, 48 questions and their two clips, all of them right. */
function prepare(folder: string): void {
  cpSync(shipped, join(folder, 'model'), { recursive: true })
  mkdirSync(join(folder, 'clips'))
  for (const name of ['red.mp4', 'blue.mp4']) cpSync(join(clips, name), join(folder, 'clips', name))
  const row = (i: number) =>
    JSON.stringify({
      video_filename: `./clips/${i % 2 === 0 ? 'red' : 'blue'}.mp4`,
      problem: 'Which?\nA. red\nB. blue',
      solution: i % 2 === 0 ? 'A' : 'B',
    })
  writeFileSync(join(folder, 'train.jsonl'), Array.from({ length: 48 }, (_, i) => `${row(i)}\n`).join(''))
}

const takesData = (graph: string) => !graph.includes('infer')

/** What `flow check` says about a fault. */
async function checked(fault: Fault, folder: string) {
  prepare(folder)
  fault.spoil(folder)
  return told('check', ...wordsOf(fault, folder), ...(fault.flags ?? []))
}

/** The graph of a fault and its settings. */
function wordsOf({ graph = 'graphs/grpo.json', set }: Fault, folder: string): string[] {
  const file = graph === 'g.json' ? join(folder, graph) : join(repository, graph)
  const params = JSON.parse(readFileSync(file, 'utf8'))
  const takesModel = !graph.includes('describe') && !('nodes' in params && 'rows' in params.nodes)
  const given = [
    ...(takesModel ? [`model=${join(folder, 'model')}`] : []),
    ...(takesModel && takesData(graph) ? [`data=${join(folder, 'train.jsonl')}`] : []),
    ...(set?.(folder) ?? []),
  ]
  return [file, ...given.flatMap(one => ['--set', one])]
}

t.test('a model and data without a fault are told to be so', async t => {
  const { code, text } = await checked({ name: '', spoil: () => {} }, t.testdir({}))
  t.equal(code, 0, text)
  t.match(text, /samples: 48 questions about 2 clips; all rows were read/)
  t.match(text, /policy: \d+ tensors in F32, 2.93 MB/)
  t.match(text, /grpo.json: ok, \d+ nodes/)
})

const said = new Map<string, string>()

for (const fault of faults) {
  t.test(`${fault.name}: found with place, rule, what was found and what to do`, async t => {
    const folder = t.testdir({})
    const { code, complaints } = await checked(fault, folder)
    // the column in a graph of one line depends on the length of the folder that it names
    const text = withNames(complaints, { DIR: folder, FLOW: repository }).replace(
      /(g\.json:1:)\d+/g,
      '$1COLUMN',
    )
    said.set(fault.name, text)
    t.equal(code, fault.isWarning ? 0 : 2, complaints)
    const [first = ''] = complaints.split('\n')
    t.match(first, /^(\S+:\d+:\d+ |\S+: |--set \S+: )/, 'a place')
    t.match(first, /: must /, 'a rule')
    t.match(first, /, found /, 'what was found')
    t.match(complaints, /^ {4}fix: {2}\S/m, 'what to do')
    if (!fault.isWarning && !fault.needsTime) {
      const out = join(folder, 'run')
      const run = await told('run', ...wordsOf(fault, folder), '--out', out)
      t.equal(run.code, 2, 'a run refuses it')
      t.equal(run.complaints, complaints.replace(/.*a run .*would fail\n$/, ''), 'in the same words')
      t.notOk(existsSync(out), 'and leaves no folder')
    }
  })
}

t.test('what people read about each of them is as it was', async t => {
  t.ok(faults.length >= 30, `${faults.length} faults`)
  const all = faults.map(({ name }) => `# ${name}\n${said.get(name)}`).join('\n')
  const file = fixture('prepared-faults.txt')
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, all)
  t.equal(all, readFileSync(file, 'utf8'), 'else look at UPDATE_GOLDEN=1 and its diff')
})

t.test('what is advised about more broken clips than may be skipped lets them be skipped', async t => {
  const folder = t.testdir({})
  const spoil = () => writeFileSync(join(folder, 'clips/blue.mp4'), 'no video')
  const fault: Fault = { name: 'half of the clips', spoil }
  const { code, complaints } = await checked(fault, folder)
  t.equal(code, 2)
  const [, setting = ''] = /^ {4}fix: .* by --set (\S+)$/m.exec(complaints) ?? []
  t.equal(setting, 'brokenClips=0.5')
  const mended = await told('check', ...wordsOf(fault, folder), '--set', setting)
  t.equal(mended.code, 0, mended.complaints)
  t.match(mended.complaints, /1 undecodable-clip/, 'it is still told')
  t.notMatch(mended.complaints, /brokenClips=/)
})

t.test('a run of fewer rows than are asked for does what it can', async t => {
  const folder = t.testdir({ 'rows.jsonl': '{"a": 1}\n{"a": 2}\n' })
  const out = join(folder, 'out.jsonl')
  const graph = join(folder, 'g.json')
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: join(folder, 'rows.jsonl'), limit: 3 } },
    file: { operator: 'write.jsonl', config: { path: out }, from: { items: 'rows.items' } },
  }
  writeFileSync(graph, JSON.stringify({ version: 1, summary: 'Copies rows.', nodes }))
  const check = await told('check', graph)
  t.equal(check.code, 2)
  t.match(check.complaints, /limit: must be at most 2, found 3/)
  const run = await told('run', graph, '--out', join(folder, 'run'))
  t.equal(run.code, 0, run.complaints)
  t.equal(readFileSync(out, 'utf8').trim().split('\n').length, 2)
})
