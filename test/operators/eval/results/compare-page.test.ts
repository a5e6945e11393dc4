import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { writeComparisonPage } from '../../../../operators/eval/results/compare-page.ts'
import { dataOf, evaluate } from '../evaluate.ts'

const set = [`data=${dataOf('mvbench')}`, 'nodes.evaluation/watch.config.sheetWidth=0']

t.test('a page shows two runs side by side and marks the questions that flip', async t => {
  const folder = t.testdir()
  const [first, second] = [join(folder, 'first'), join(folder, 'second')]
  await evaluate('mvbench', first, [...set, 'answers=constant'])
  await evaluate('mvbench', second, [...set, 'answers=oracle'])
  const file = join(folder, 'pages/flips.html')
  await writeComparisonPage(file, first, second)
  const page = readFileSync(file, 'utf8')
  const packed = /id="data">([^<]*)</.exec(page)?.[1] ?? ''
  const { items, names } = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString())
  t.strictSame(names, ['constant', 'oracle'])
  t.equal(items.length, 16)
  const marked = (mark: string) => items.filter((item: { mark: string }) => item.mark === mark).length
  t.strictSame(['wrong → right', 'right → wrong', 'both right', 'both wrong'].map(marked), [11, 0, 4, 1])
  t.ok(items.every((item: { answers: unknown[] }) => item.answers.length === 2))
  t.match(page, /Difference <b>\+68\.8<\/b>/)
  t.match(page, /The recipes differ in \d+ fields?</)
})

t.test('a sheet is shown once where both runs saw the same frames, and found from the page', async t => {
  const folder = t.testdir()
  const base = { shard: 1, shards: 1, excluded: [], findings: [] }
  const benchmark = { name: 'made', headline: 'micro', questions: [], ...base }
  const make = (name: string, chosen: string, indices: number[]) => {
    const result = {
      id: 'q',
      benchmark: 'made',
      tasks: ['order'],
      groups: {},
      clip: '1.mp4',
      question: 'Which?',
      options: ['x', 'y'],
      letters: ['A', 'B'],
      answer: 'A',
      outcome: chosen === 'A' ? 'right' : 'wrong',
      chosen,
      drawn: false,
      output: chosen,
      tokens: 1,
      finished: true,
      prompt: null,
      indices,
      framesPerSecond: 1,
      sheet: 'frames/1.jpg',
      message: null,
    }
    mkdirSync(join(folder, name, 'frames'), { recursive: true })
    mkdirSync(join(folder, name, 'results'))
    writeFileSync(join(folder, name, 'recipe.json'), JSON.stringify({ model: name }))
    const questions = [{ id: 'q', clip: '1.mp4' }]
    writeFileSync(join(folder, name, 'benchmark.json'), JSON.stringify({ ...benchmark, questions }))
    writeFileSync(join(folder, name, `results/${'0'.repeat(24)}.json`), JSON.stringify(result))
    return join(folder, name)
  }
  const [one, same, other] = [make('one', 'A', [0, 1]), make('same', 'B', [0, 1]), make('other', 'B', [3])]
  const sheetsOf = async (second: string) => {
    const file = join(folder, 'page.html')
    await writeComparisonPage(file, one, second)
    const packed = /id="data">([^<]*)</.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
    const { items } = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString())
    t.equal(items[0].mark, 'right → wrong')
    return items[0].answers.map(({ sheet }: { sheet: string | null }) => sheet)
  }
  t.strictSame(await sheetsOf(same), ['one/frames/1.jpg', null])
  t.strictSame(await sheetsOf(other), ['one/frames/1.jpg', 'other/frames/1.jpg'])
})
