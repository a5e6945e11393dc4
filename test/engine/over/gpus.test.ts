// `flow run --gpus`: a worker for each GPU, and what becomes of the work of one that is lost.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { gpusIn } from '../../../engine/cli/gpus.ts'
import { repository } from '../../fixtures.ts'
import { flow, needServer } from './processes.ts'

t.setTimeout(240_000)

t.test('GPUs are listed by numbers, ranges and PCI ids, also twice', async t => {
  t.same(gpusIn('0,1'), ['0', '1'])
  t.same(gpusIn('0-3'), ['0', '1', '2', '3'])
  t.same(gpusIn('1,1'), ['1', '1'])
  t.same(gpusIn('0000:1b:00.0,2'), ['0000:1b:00.0', '2'])
  for (const text of ['', '3-1', '0,', 'all', '0;1'])
    t.throws(() => gpusIn(text), { code: 'bad-usage', message: /found "/ }, text)
})

const isSource = import.meta.url.endsWith('.ts')
const device = `${repository}/${isSource ? 'operators/device.ts' : 'dist/operators/device.js'}`

/** Doubles rows; `file` is there once a process has lost its GPU. With `always` each process loses it. */
const plugin = `
import { existsSync, writeFileSync } from 'node:fs'
import { sharedDevice } from ${JSON.stringify(device)}
export const api = 1
export const operators = {
  'my.double': {
    summary: 'Doubles.', inputs: { items: 'any' }, outputs: { items: 'any' },
    config: {
      file: { type: 'string', description: 'A file.' },
      always: { type: 'boolean', default: false, description: 'Always.' },
    },
    run: ({ items }, { file, always }, context) => ({
      items: items.pipe(context.each(async value => {
        const device = await sharedDevice(context)
        if (always || (value.number > 2 && !existsSync(file))) {
          writeFileSync(file, '')
          device.gpu.destroy()
        }
        const tensor = device.tensor('row', [1], 'f32', new Float32Array([value.number * 2]))
        try {
          const [number] = await device.read(tensor)
          return { number }
        } finally { device.freeTensor(tensor) }
      })),
    }),
  },
}`

function graphIn(t: Test, always: boolean): string {
  const folder = t.testdir({ 'plugin.mjs': plugin })
  const at = (name: string) => join(folder, name)
  const rows = [1, 2, 3, 4, 5, 6].map(number => `${JSON.stringify({ number })}\n`).join('')
  writeFileSync(at('rows.jsonl'), rows)
  const graph = {
    version: 1,
    summary: 'Doubles on a GPU.',
    plugins: ['./plugin.mjs'], // seen from the graph, not from the working directory
    parts: { doubles: { nodes: ['doubled'] } },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: at('rows.jsonl') } },
      doubled: { operator: 'my.double', config: { file: at('lost'), always }, from: { items: 'rows.items' } },
      file: { operator: 'write.jsonl', config: { path: at('out.jsonl') }, from: { items: 'doubled.items' } },
    },
  }
  writeFileSync(at('graph.json'), JSON.stringify(graph))
  return folder
}

t.test('a GPU that is lost is named, and its items are done by the others', async t => {
  needServer(t)
  const folder = graphIn(t, false)
  const words = ['run', join(folder, 'graph.json'), '--out', join(folder, 'run'), '--gpus', '0,0']
  const { code, text } = await flow(words)
  t.equal(code, 0, text)
  t.match(text, /worker [12]: GPU 0 \(.+\): .*the GPU device .* was lost: .*its items go to the others/)
  const rows = readFileSync(join(folder, 'out.jsonl'), 'utf8').trim().split('\n')
  t.same(
    rows.map(row => JSON.parse(row).number),
    [2, 4, 6, 8, 10, 12],
  )
})

t.test('a run whose workers all lose their GPU on an item ends with that error', async t => {
  needServer(t)
  const folder = graphIn(t, true)
  const words = ['run', join(folder, 'graph.json'), '--out', join(folder, 'run'), '--gpus', '0']
  const { code, text } = await flow(words)
  t.equal(code, 1)
  t.match(text, /the GPU device \(.+\) was lost|no worker of part "doubles" is left/)
})

t.test('a GPU that is not there is refused before anything starts', async t => {
  const folder = graphIn(t, false)
  const { code, text } = await flow(['run', join(folder, 'graph.json'), '--gpus', '0,77'])
  t.equal(code, 1)
  t.match(text, /no adapter has the number or PCI id "77"/)
})
