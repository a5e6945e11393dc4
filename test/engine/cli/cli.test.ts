import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../../fixtures.ts'

const isSource = import.meta.url.endsWith('.ts')
const main = isSource ? ['--import', 'tsx', 'engine/cli/main.ts'] : ['dist/engine/cli/main.js']

interface Result {
  code: number | null
  out: string
  complaints: string
}

/** Runs `flow` as a user would. */
const flow = (words: readonly string[]): Promise<Result> => flowUntil(words, () => false)

const graph = (config: object, rest: object = {}) =>
  JSON.stringify({
    version: 1,
    summary: 'Copies lines.',
    nodes: {
      rows: { operator: 'read.jsonl', config },
      lists: { operator: 'stream.batch', config: { size: 2 }, from: { items: 'rows.items' } },
      out: { operator: 'write.jsonl', config: { path: 'unset' }, from: { items: 'lists.lists' }, ...rest },
    },
  })

const rows = (count: number) => Array.from({ length: count }, (_, i) => `{"id":${i}}\n`).join('')

t.test('a run writes its directory, ends with one line and exits 0', async t => {
  const folder = t.testdir({ 'g.json': graph({ path: 'unset' }), 'in.jsonl': rows(5) })
  const set = [
    '--set',
    `nodes.rows.config.path=${join(folder, 'in.jsonl')}`,
    '--set',
    `nodes.out.config.path=${join(folder, 'out.jsonl')}`,
  ]
  const words = ['run', join(folder, 'g.json'), ...set, '--seed', '3', '--out', join(folder, 'run')]
  const { code, out, complaints } = await flow(words)
  t.equal(code, 0, complaints)
  t.match(out, /run: completed, \d+\.\d s\n$/)
  t.equal(
    readFileSync(join(folder, 'out.jsonl'), 'utf8'),
    '[{"id":0},{"id":1}]\n[{"id":2},{"id":3}]\n[{"id":4}]\n',
  )
  t.match(JSON.parse(readFileSync(join(folder, 'run/manifest.json'), 'utf8')), {
    seed: 3,
    status: 'completed',
  })

  const again = await flow(words)
  t.equal(again.code, 2)
  t.match(again.complaints, /--out .*run: must be a new folder, found a run in it/)

  const file = join(folder, 'out.jsonl')
  const onFile = await flow(['run', join(folder, 'g.json'), ...set, '--out', file])
  t.equal(onFile.code, 2)
  t.match(onFile.complaints, `--out ${file}: must be a folder, found a file`)
})

t.test('a failed run exits 1 and says why', async t => {
  const folder = t.testdir({ 'in.jsonl': `${rows(2)}{"id":"x"}\n` })
  const text = JSON.stringify({
    version: 1,
    summary: 'Keeps rows by a number that one of them lacks.',
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: join(folder, 'in.jsonl') } },
      kept: {
        operator: 'stream.filter',
        config: { where: '$number(id) < 5' },
        from: { items: 'rows.items' },
      },
    },
  })
  writeFileSync(join(folder, 'g.json'), text)
  const { code, complaints } = await flow(['run', join(folder, 'g.json'), '--out', join(folder, 'run')])
  t.equal(code, 1)
  t.match(complaints, /node "kept" \(stream\.filter\), item "1:3" \(\S+in\.jsonl:3\), seed \d+: .*/)
})

t.test('a wrong graph exits 2 with every problem', async t => {
  const folder = t.testdir({ 'g.json': graph({ pth: 'x' }, { onEror: 'skip' }) })
  const { code, complaints } = await flow(['run', join(folder, 'g.json')])
  t.equal(code, 2)
  t.match(complaints, /nodes\.rows\.config\.pth: must be a known key, found "pth" \(nearest "path"\)/)
  t.match(complaints, /nodes\.out\.onEror: must be a known key, found "onEror" \(nearest "onError"\)/)
})

t.test('the first signal drains and exits 130, and what was begun is written', async t => {
  const folder = t.testdir({ 'in.jsonl': rows(3) })
  const config = { path: join(folder, 'in.jsonl'), epochs: 0 }
  const out = join(folder, 'out.jsonl')
  const path = join(
    t.testdir({ 'g.json': graph(config).replace('unset', out), 'in.jsonl': rows(3) }),
    'g.json',
  )
  const running = flowUntil(
    ['run', path, '--out', join(folder, 'run')],
    () => existsSync(out) && statSync(out).size > 0,
  )
  const { code, out: said, complaints } = await running
  t.equal(code, 130, complaints)
  t.match(complaints, /^stopping: no new item begins, at most \d+ to go; press again to abort/)
  t.match(said, /run: stopped, \d+\.\d s\n$/)
  t.match(JSON.parse(readFileSync(join(folder, 'run/manifest.json'), 'utf8')), {
    status: 'stopped',
    leaked: 0,
  })
  for (const line of readFileSync(out, 'utf8').trim().split('\n')) t.ok(JSON.parse(line))
})

/** Runs `flow` and interrupts it once, as soon as something is true. */
function flowUntil(words: readonly string[], ready: () => boolean): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...main, ...words], { cwd: repository, timeout: 400_000 })
    const result: Result = { code: null, out: '', complaints: '' }
    const poll = setInterval(() => {
      if (!ready()) return
      clearInterval(poll)
      child.kill('SIGINT')
    }, 20)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.complaints += text
    })
    child.on('error', reject)
    child.on('close', code => {
      clearInterval(poll)
      resolve({ ...result, code })
    })
  })
}
