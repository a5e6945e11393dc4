// Every verb with broken inputs: one clear line that names the file, the right exit code, never a stack.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { verbs } from '../../../engine/cli/command.ts'
import { graphText } from '../support.ts'
import { callerWith } from './caller.ts'

/** Ways in which a file is broken. */
const breaks: Readonly<Record<string, (path: string) => void>> = {
  missing: () => {},
  empty: path => writeFileSync(path, ''),
  torn: path => writeFileSync(path, '{ "version": 1, "graph": "g.js'),
  'another value': path => writeFileSync(path, '[1, 2]'),
  'an object without fields': path => writeFileSync(path, '{}'),
  'a folder': path => mkdirSync(path),
  binary: path => writeFileSync(path, Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 151) % 256))),
  'a pipe that nobody writes to': path => execFileSync('mkfifo', [path]),
  'a device without an end': path => symlinkSync('/dev/zero', path),
  // also root cannot read it
  unreadable: path => symlinkSync(path, path),
}

const broken = (path: string, how: string): void => {
  rmSync(path, { recursive: true, force: true })
  breaks[how](path)
}

const call = callerWith()

const nodes = {
  count: { operator: 'range', config: { count: 9 } },
  end: { operator: 'collect', from: { items: 'count.numbers' } },
}
const graph = graphText(nodes, { checkpoint: { every: 3, keep: 9 } })

const stack = /^\s+at .*[:(]\d+/m

t.test('a broken graph file is named by every verb that reads one', async t => {
  const folder = t.testdir({ 'good.json': graph })
  const path = join(folder, 'bad.json')
  const good = join(folder, 'good.json')
  const calls = [
    ['run', path, '--out', join(folder, 'run')],
    ['check', path],
    ['graph', path],
    ['explain', path],
    ['diff', path, good],
    ['diff', good, path],
  ]
  for (const how of Object.keys(breaks)) {
    broken(path, how)
    for (const words of calls) {
      const { code, text } = await call(...words)
      t.equal(code, 2, `${how}: flow ${words[0]}`)
      t.ok(text.includes('bad.json'), `${how}: flow ${words[0]} names the file: ${text}`)
      t.notMatch(text, stack)
    }
  }
})

t.test('a broken file of a run folder is named by every verb that reads it', async t => {
  const folder = t.testdir({ 'g.json': graph })
  const whole = join(folder, 'whole')
  t.equal((await call('run', join(folder, 'g.json'), '--out', whole)).code, 0)
  const run = join(folder, 'run')
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['manifest.json', ['run', '--resume', run]],
    ['manifest.json', ['replay', run, '--item', '1']],
    ['status.json', ['top', run, '--once']],
    ['status.json', ['tap', run, 'end.items']],
  ]
  for (const [file, words] of cases) {
    for (const how of Object.keys(breaks)) {
      rmSync(run, { recursive: true, force: true })
      cpSync(whole, run, { recursive: true })
      broken(join(run, file), how)
      const { code, text } = await call(...words)
      t.ok(code === 1 || code === 2, `${file} ${how}: flow ${words[0]} ends with ${code}`)
      t.ok(text.includes(file), `${file} ${how}: flow ${words[0]} names the file: ${text}`)
      const told = text
        .trim()
        .split('\n')
        .filter(line => !line.startsWith('    fix:  '))
      t.equal(told.length, 1, 'in one line, and what to do')
      t.notMatch(text, stack)
    }
  }
})

t.test('a folder that is none is named by every verb that takes one', async t => {
  const folder = t.testdir({ file: 'text', empty: {} })
  for (const name of ['missing', 'file', 'empty']) {
    const path = join(folder, name)
    const calls = [
      ['run', '--resume', path],
      ['replay', path, '--item', '1'],
      ['top', path, '--once'],
      ['tap', path, 'a.b'],
      ['merge', path, '--out', join(folder, 'out')],
      ['compare', path, path],
    ]
    for (const words of calls) {
      const { code, text } = await call(...words)
      t.ok(code === 1 || code === 2, `${name}: flow ${words[0]} ends with ${code}`)
      t.ok(text.includes(path), `${name}: flow ${words[0]} names it: ${text}`)
      t.notMatch(text, stack)
    }
  }
})

t.test(
  'every verb refuses a flag that does not exist, and words that it does not take, with exit code 2',
  async t => {
    for (const verb of Object.keys(verbs)) {
      const { code, text } = await call(verb, '--no-such-flag')
      t.equal(code, 2, verb)
      t.match(text, `--no-such-flag: must be a flag of "flow ${verb}"`)
    }
    t.match(await call('no-such-verb'), { code: 2, text: /no-such-verb: must be a verb/ })
  },
)

t.test('a run goes on from the newest checkpoint that is whole, and says what it does again', async t => {
  const folder = t.testdir({ 'g.json': graph })
  const whole = join(folder, 'whole')
  t.equal((await call('run', join(folder, 'g.json'), '--out', whole)).code, 0)
  const run = join(folder, 'run')
  const copy = () => {
    rmSync(run, { recursive: true, force: true })
    cpSync(whole, run, { recursive: true })
    // as if it had been killed
    const manifest = JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'))
    writeFileSync(join(run, 'manifest.json'), JSON.stringify({ ...manifest, status: undefined }))
  }
  for (const how of Object.keys(breaks)) {
    copy()
    broken(join(run, 'checkpoints/000009/state.json'), how)
    const { code, text } = await call('run', '--resume', run)
    t.equal(code, 0, how)
    t.match(
      text,
      /checkpoints\/000009\/state.json: .*checkpoint 000009 is damaged; it is kept as .*damaged-000009/,
    )
    t.match(text, 'going on from checkpoint 000006: items 7 to 9 are done again')
  }
  copy()
  const path = join(run, 'checkpoints/000009/state.json')
  writeFileSync(path, readFileSync(path, 'utf8').replace('"acknowledged": 9', '"acknowledged": 8'))
  t.match(await call('run', '--resume', run), { code: 0, text: /state.json: must be as it was written/ })
  copy()
  for (const name of ['000003', '000006', '000009'])
    truncateSync(join(run, 'checkpoints', name, 'state.json'), 9)
  const { code, text } = await call('run', '--resume', run)
  t.equal(code, 1)
  t.match(text, /must have a whole checkpoint, found only 000009 \(.*000006 \(.*000003 \(/)
})
