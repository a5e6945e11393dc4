import { rmSync } from 'node:fs'
import t from 'tap'
import { readArguments } from '../../../engine/cli/arguments.ts'
import { command, verbs } from '../../../engine/cli/command.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'

const registry = { operators, resources }

async function call(words: readonly string[]) {
  let out = ''
  let complaints = ''
  const line = (text: string) => {
    out += `${text}\n`
  }
  const code = await command(words, {
    registry,
    environment: {},
    screen: { write: line },
    print: line,
    prepare: async () => {},
    complain: text => {
      complaints += `${text}\n`
    },
  })
  return { code, out, complaints }
}

/** These need a run, results or a GPU: their examples are only read. */
const onlyRead = ['run', 'merge', 'compare', 'replay', 'top', 'tap']

process.chdir(repository)

for (const [name, verb] of Object.entries(verbs)) {
  t.test(`flow ${name} --help is one screen, and its example works`, async t => {
    const { code, out } = await call([name, '--help'])
    t.equal(code, 0)
    t.ok(out.split('\n').length <= 24, 'no more than 24 lines')
    t.ok(Math.max(...out.split('\n').map(line => line.length)) <= 140, 'no line is long')
    t.ok(out.includes(`Example: ${verb.example}`))
    // A shell puts the newest run in place of `$(…)`.
    const example = verb.example.replaceAll(/\$\([^)]*\)/g, 'runs/newest')
    const calls = example.split('; ').map(text => text.split(' '))
    for (const [program, other, ...words] of calls) {
      t.equal(program, 'flow')
      t.ok(readArguments(other, words, verbs[other].flags), 'its words are known')
    }
    const [, word, ...words] = calls[calls.length - 1]
    t.equal(word, name)
    if (onlyRead.includes(name)) return
    rmSync('/tmp/flow-example', { recursive: true, force: true })
    const ran = await call([name, ...words])
    t.equal(ran.code, 0, ran.complaints)
    t.not(ran.out, '')
  })
}
