import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readArguments, type UsageError } from '../../../engine/cli/arguments.ts'
import { lookAtPath } from '../../../engine/cli/inspection/named-paths.ts'
import { messageOf, reasonOf, remedyIn } from '../../../engine/shared/errors.ts'

const caught = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return error
  }
}

t.test('errors of the system are told in words, after the path, with what to do', async t => {
  const folder = t.testdir({ file: 'x' })
  symlinkSync('circle', join(folder, 'circle'))
  const wrong = {
    'file/in': /: a part of this path is a file, not a folder \(ENOTDIR\)$/,
    circle: /: its links lead in a circle \(ELOOP\)$/,
    ['n'.repeat(300)]: /: this name is too long for the file system \(ENAMETOOLONG\)$/,
    absent: /: no such file or folder \(ENOENT\)$/,
  }
  for (const [name, words] of Object.entries(wrong)) {
    const path = join(folder, name)
    const error = caught(() => readFileSync(path))
    t.match(messageOf(error), words)
    t.ok(messageOf(error).startsWith(`${path}: `))
    t.notMatch(reasonOf(error), folder, 'where the path stands already')
    t.match(remedyIn(error), /\S/)
  }
  t.equal(messageOf(new Error('boom')), 'boom')
})

t.test('a folder to write that cannot be reached is found before a run', async t => {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'there'))
  writeFileSync(join(folder, 'file'), '')
  symlinkSync('circle', join(folder, 'circle'))
  symlinkSync('nowhere', join(folder, 'broken'))
  const look = (name: string) =>
    lookAtPath('folder', { type: 'string', writes: true, description: '' }, join(folder, name))
  t.equal(look('there'), undefined)
  t.equal(look('there/new/newer'), undefined)
  t.match(look('circle'), { lines: [/its links lead in a circle/] })
  t.match(look('broken/in'), { lines: [/broken: a link to nowhere, where nothing is/] })
  t.match(look('file/in'), { lines: [/is a file, so no folder can be in it/] })
})

t.test('a flag that a verb does not take says what to type instead', t => {
  const flags = {
    set: { value: 'KEY=VALUE', description: '' },
    out: { value: 'DIR', description: '' },
    'log-level': { value: 'LEVEL', description: '' },
  }
  const refused = (words: string[], owners: string[] = [], params: string[] = []) => {
    const about = { ownersOf: () => owners, paramsOf: () => params }
    return caught(() => readArguments('check', words, flags, about)) as UsageError
  }
  t.match(refused(['--seed', '3'], ['run']), {
    message: '--seed: must be a flag of "flow check", found one of "flow run"',
    advice: /^leave it out here/,
  })
  t.match(refused(['--steps=5'], ['run'], ['steps']), { advice: 'write --set steps=5' })
  t.match(refused(['--steps=5'], ['run']), { advice: /^leave it out here/ }, 'the graph has no such param')
  t.match(refused(['--learningRate', '1e-4'], [], ['learningRate']), {
    advice: 'write --set learningRate=1e-4',
  })
  for (const word of ['--learning-rate', '--lr', '--learningRat'])
    t.match(refused([word, '1e-4'], [], ['learningRate']), {
      message: `${word}: must be a flag of "flow check" (nearest param "learningRate")`,
      advice: 'write --set learningRate=1e-4',
    })
  for (const word of ['--run-dir', '--output-dir', '--outputDir=x', '-o', '--run_directory'])
    t.match(refused([word, 'x']), { advice: 'write --out DIR' }, word)
  t.match(refused(['--output', 'x'], [], ['output']), { advice: 'write --set output=x' })
  t.match(refused(['--verbose']), { advice: 'write --log-level debug' })
  t.match(refused(['--sett', 'a=1']), { message: /nearest "set"/, advice: undefined })
  t.match(refused(['--temperature', '1']), { advice: /^"flow help check GRAPH" lists its flags/ })
  t.end()
})
