import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import type { Group } from '../../../operators/kinds.ts'
import command from '../../../operators/reward/command.ts'
import { runScorer } from '../../../operators/reward/run-scorer.ts'
import { groupOf } from '../group.ts'
import { runGraph } from '../run-graph.ts'

const directory = t.testdir({})
const { signal } = new AbortController()
const limits = { source: 'scorer', timeoutSeconds: 20, signal }
const node = (code: string) => [process.execPath, '-e', code]
/** Reads the group that it is given as `group`. */
const scorer = (code: string) => {
  return node(`let text = ''
process.stdin.on('data', part => { text += part }).on('end', () => { const group = JSON.parse(text); ${code} })`)
}
const answer = (expression: string) => scorer(`console.log(JSON.stringify({ rewards: ${expression} }))`)

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Scores groups of two completions in the engine. */
async function score(
  program: readonly string[],
  options: { config?: object; node?: object; count?: number } = {},
) {
  const source = operator({
    summary: 'Gives groups.',
    config: {},
    inputs: {},
    outputs: { groups: 'group' },
    run: (_inputs, _config, context) => ({
      groups: context.source<Group>(async function* () {
        for (let i = 0; i < (options.count ?? 1); i++)
          yield {
            key: `q${i}`,
            value: groupOf([
              { text: 'a', reward: 1 },
              { text: `b${i}`, ids: [1, 2] },
            ]),
          }
      }),
    }),
  })
  const nodes = {
    groups: { operator: 'groups' },
    scores: {
      operator: 'reward.command',
      config: { command: program, ...options.config },
      from: { groups: 'groups.groups' },
      ...options.node,
    },
    sink: { operator: 'collect', from: { items: 'scores.groups' } },
  }
  const run = await runGraph({ nodes }, { groups: source, 'reward.command': command }, { directory })
  t.equal(run.leaked, 0)
  return { ...run, groups: run.items.map(({ value }) => value as Group) }
}

t.test('a program scores each completion from all that is known of the group', async t => {
  const code =
    'group.completions.map((c, i) => c.text.length + c.tokens * 10 + (group.solution === "C") * 100 + i)'
  const { groups } = await score(answer(code), { config: { name: 'length', weight: 0.5 } })
  t.match(groups[0].completions, [
    { rewards: { length: 101 }, reward: 51.5 },
    { rewards: { length: 123 }, reward: 61.5 },
  ])
})

t.test('null does not apply; weight 0 leaves the combined reward alone', async t => {
  const { groups } = await score(answer('[null, 3]'))
  t.match(groups[0].completions, [
    { rewards: { external: null }, reward: 1 },
    { rewards: { external: 3 }, reward: 3 },
  ])
  const { groups: second } = await score(answer('[2, null]'))
  t.match(second[0].completions[0], { rewards: { external: 2 }, reward: 3 })
  t.equal(second[0].completions[1].reward, undefined, 'left out where no other reward applies')
  const apart = await score(answer('[2, 3]'), { config: { weight: 0 } })
  t.equal(apart.groups[0].completions[0].reward, 1)
  t.equal(apart.groups[0].completions[1].reward, undefined)
})

t.test('slow programs run at the same time, and groups keep their order', async t => {
  const file = join(directory, 'parallel')
  // The first group is answered only after the second has been.
  const code = `const fs = require('node:fs')
const done = () => console.log(JSON.stringify({ rewards: [1, Number(group.key[1])] }))
const wait = () => (fs.existsSync(${JSON.stringify(file)}) ? done() : setTimeout(wait, 10))
if (group.key === 'q1') { fs.writeFileSync(${JSON.stringify(file)}, ''); done() } else wait()`
  const { groups } = await score(scorer(code), { count: 2, config: { concurrency: 2 } })
  t.same(
    groups.map(({ completions }) => completions[1].rewards?.external),
    [0, 1],
  )
})

const nonsense: [string, readonly string[], RegExp][] = [
  ['says nothing', node(''), /got nothing/],
  ['writes prose', node('console.log("very good")'), /got very good/],
  ['writes a bare list', node('console.log("[1, 2]")'), /got \[1, 2\]/],
  ['gives too few', answer('[1]'), /with 2 numbers or nulls, one for each completion, got 1 rewards/],
  ['gives too many', answer('[1, 2, 3]'), /got 3 rewards/],
  ['gives NaN', node('console.log(`{"rewards": [1, NaN]}`)'), /got \{"rewards": \[1, NaN\]\}/],
  ['gives infinity', node('console.log(`{"rewards": [1, 1e999]}`)'), /got Infinity at 1/],
  ['gives text', answer('[1, "2"]'), /got "2" at 1/],
  ['dies', node('console.error("no licence"); process.exit(3)'), /exit code 3; it said: no licence/],
  ['is killed', node('process.kill(process.pid, "SIGKILL")'), /ended by SIGKILL/],
  ['does not exist', [join(directory, 'nowhere')], /cannot be run: .*ENOENT/],
]
for (const [what, program, message] of nonsense)
  t.test(`a program that ${what} is an error with the sample's key`, async t => {
    const { status, error } = await score(program)
    t.equal(status, 'failed')
    t.match(error?.message, message)
    t.match(error?.message, /reward "external" of sample q0/)
  })

t.test('a program that hangs is killed with all that it started', async t => {
  const file = join(directory, 'pids')
  const code = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' })
require('node:fs').writeFileSync(${JSON.stringify(file)}, process.pid + ' ' + child.pid)
setInterval(() => {}, 1e6)`
  const { status, error } = await score(node(code), { config: { timeoutSeconds: 2 } })
  t.equal(status, 'failed')
  t.match(error?.message, /did not end within 2 s/)
  const [parent, child] = readFileSync(file, 'utf8').split(' ').map(Number)
  while (!isGone(child)) await new Promise(resolve => setTimeout(resolve, 10)) // its new parent reaps it
  t.ok(isGone(parent))
})

/** Starts a process that lives until it is killed, holds standard output, and whose number is written to `file`. */
const leaves = (file: string, options: object) => `
const idle = ['-e', 'setInterval(() => {}, 1e6)']
const options = { stdio: ['ignore', 'inherit', 'ignore'], ...${JSON.stringify(options)} }
const { pid } = require('node:child_process').spawn(process.execPath, idle, options)
require('node:fs').writeFileSync(${JSON.stringify(file)}, String(pid))
`

for (const [what, options] of [
  ['of its group', {}],
  ['that left its group', { detached: true }],
] as const)
  t.test(
    `an answer counts although a process ${what} holds standard output, and that one is ended`,
    async t => {
      const file = join(directory, `holder ${what}`)
      const code = `${leaves(file, options)} console.log('done'); process.exit(0)`
      t.equal(await runScorer(node(code), '', limits), 'done\n')
      const pid = Number(readFileSync(file, 'utf8'))
      while (!isGone(pid)) await new Promise(resolve => setTimeout(resolve, 10)) // its new parent reaps it
    },
  )

t.test('an answer counts although a process that cannot be reached holds standard output', async t => {
  const file = join(directory, 'unreachable')
  const code = `${leaves(file, { detached: true, env: {} })} console.log('done'); process.exit(0)`
  t.equal(await runScorer(node(code), '', limits), 'done\n')
  process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
})

t.test('what a scorer has started ends when flow is killed', async () => {
  const file = join(directory, 'orphan')
  const scorer = `${leaves(file, { detached: true })}
require('node:fs').writeFileSync(${JSON.stringify(`${file}-parent`)}, String(process.pid))
setInterval(() => {}, 1e6)`
  const isSource = import.meta.url.endsWith('.ts')
  const module = new URL(`../../../operators/reward/run-scorer.${isSource ? 'ts' : 'js'}`, import.meta.url)
  const flow = `const { runScorer } = await import(${JSON.stringify(module.href)})
const { signal } = new AbortController()
await runScorer(${JSON.stringify(node(scorer))}, '', { source: 'scorer', timeoutSeconds: 100, signal })`
  const tsx = isSource ? ['--import', 'tsx'] : []
  const running = spawn(process.execPath, [...tsx, '--input-type=module', '-e', flow], { stdio: 'inherit' })
  while (!existsSync(`${file}-parent`) || readFileSync(`${file}-parent`, 'utf8') === '')
    await new Promise(resolve => setTimeout(resolve, 10))
  running.kill('SIGKILL')
  for (const path of [file, `${file}-parent`]) {
    const pid = Number(readFileSync(path, 'utf8'))
    while (!isGone(pid)) await new Promise(resolve => setTimeout(resolve, 10))
  }
})

t.test('a program that is deaf to SIGTERM is ended', async t => {
  const file = join(directory, 'deaf')
  const code = `process.on('SIGTERM', () => {}).on('SIGINT', () => {}).on('SIGHUP', () => {})
require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1e6)`
  await t.rejects(runScorer(node(code), '', { ...limits, timeoutSeconds: 1 }), { code: 'late' })
  t.ok(isGone(Number(readFileSync(file, 'utf8'))))
})

t.test('a character that arrives in two parts stays whole', async t => {
  const code = `const [first, ...rest] = Buffer.from('é€')
process.stdout.write(Buffer.from([first]), () => setTimeout(() => process.stdout.write(Buffer.from(rest)), 100))`
  t.equal(await runScorer(node(code), '', limits), 'é€')
})

t.test('a program may end its input early, or say very much on standard error', async t => {
  const code = `process.stdin.destroy()
process.stderr.write('x'.repeat(2 ** 24), () => setTimeout(() => console.log('done'), 100))`
  t.equal(await runScorer(node(code), 'x'.repeat(2 ** 22), limits), 'done\n')
})

t.test('an abort ends the program', async t => {
  const ending = new AbortController()
  const file = join(directory, 'aborted')
  const code = `require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1e6)`
  const running = runScorer(node(code), '', { ...limits, signal: ending.signal })
  while (!existsSync(file) || readFileSync(file, 'utf8') === '')
    await new Promise(resolve => setTimeout(resolve, 10))
  ending.abort()
  await t.rejects(running, { code: 'aborted' })
  t.ok(isGone(Number(readFileSync(file, 'utf8'))))
  await t.rejects(runScorer(node(''), '', { ...limits, signal: ending.signal }), { code: 'aborted' })
})

t.test('a program may leave its input unread, however long', async t => {
  t.equal(await runScorer(node('console.log(1)'), 'x'.repeat(2 ** 22), limits), '1\n')
})

t.test('an answer without end is cut off', async t => {
  const endless = 'const more = () => process.stdout.write("1".repeat(65536), more); more()'
  await t.rejects(runScorer(node(endless), '', limits), { code: 'bad-answer' })
})

t.test('onError tries again, or lets the group go', async t => {
  const file = join(directory, 'tries')
  writeFileSync(file, '')
  const code = `const fs = require('node:fs')
fs.appendFileSync(${JSON.stringify(file)}, 'x')
if (fs.readFileSync(${JSON.stringify(file)}, 'utf8').length < 3) process.exit(1)
console.log('{"rewards": [1, 2]}')`
  const retried = await score(node(code), { node: { onError: { retry: 2 } } })
  t.match(retried, { status: 'completed', groups: [{}] }, retried.error?.message ?? '')
  t.equal(readFileSync(file, 'utf8'), 'xxx')
  const skipped = await score(
    scorer('if (group.key === "q0") process.exit(1); console.log(`{"rewards": [1, 2]}`)'),
    {
      count: 2,
      node: { onError: 'skip' },
    },
  )
  t.match(skipped, { status: 'completed' }, skipped.error?.message ?? '')
  t.same(
    skipped.items.map(({ key }) => key),
    ['q1'],
  )
})
