// Every example in JavaScript or TypeScript of the guides is one that a compiler of TypeScript accepts, with the settings that
// flow new writes for plugins: all of them in one program.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { typeOptions } from '../../engine/cli/new-types.ts'
import { repository } from '../fixtures.ts'

const guides = [
  'README.md',
  ...['engine', 'graphs', 'kernels', 'operators'].map(folder => `${folder}/README.md`),
]

/** A plugin that an example imports. */
const beside: Record<string, string> = {
  'my-shout.d.mts': `import type { Operator } from '@flow-graphs/flow/operator'
export declare const operators: { 'my.shout': Operator }
`,
}

/** The examples of a page, as files of TypeScript at the top of the repository, where the package's own name is known. */
const examplesOf = (page: string, text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/```(?:js|ts|javascript|typescript)\b[^\n]*\n([\s\S]*?)```/g)].map(
      ({ 1: code = '', index }) => [
        `${page.replace('/', '-')}-line-${text.slice(0, index).split('\n').length + 1}.mts`,
        `${code}export {}\n`,
      ],
    ),
  )

/** What the compiler has against these files, one line each. */
function complaintsOf(files: Readonly<Record<string, string>>): string[] {
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    { ...typeOptions, lib: ['es2023'] },
    repository,
  )
  t.same(errors, [])
  const host = ts.createCompilerHost(options)
  const virtual = new Map(Object.entries(files).map(([name, text]) => [join(repository, name), text]))
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = path => virtual.has(path) || fileExists(path)
  host.readFile = path => virtual.get(path) ?? readFile(path)
  host.getSourceFile = (path, language, ...rest) => {
    const text = virtual.get(path)
    return text === undefined
      ? getSourceFile(path, language, ...rest)
      : ts.createSourceFile(path, text, language)
  }
  const program = ts.createProgram([...virtual.keys()], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file ? `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1}: ` : ''
    return `${line}${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}

t.test('the examples of the guides type-check under strict', async t => {
  const examples = Object.assign(
    {},
    ...guides.map(page => examplesOf(page, readFileSync(join(repository, page), 'utf8'))),
  ) as Record<string, string>
  t.ok(Object.keys(examples).length >= 6, `${Object.keys(examples).length} examples`)
  t.same(complaintsOf({ ...examples, ...beside }), [])
})

t.test('an example that uses what is not there is found, with its line', async t => {
  const page =
    "Text.\n```ts\nimport { reward } from '@flow-graphs/flow'\nexport const one = reward('one', 'Is 1.', ({ idz }) => idz)\n```\n"
  const [complaint = 'none', ...rest] = complaintsOf(examplesOf('broken.md', page))
  t.match(complaint, /broken\.md-line-3\.mts:2: Property 'idz' does not exist on type 'Completion'/)
  t.same(rest, [])
})
