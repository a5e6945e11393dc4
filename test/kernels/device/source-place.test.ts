// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of files that hold templates
// Where the line of a kernel is found in its author's files.
import t from 'tap'
import { type Source, sourcePlace } from '../../../kernels/device/source-place.ts'

/** Files by name, as a platform would read them. */
const reader =
  (files: Readonly<Record<string, string>>) =>
  (file: string): Source | undefined => {
    const name = file.replace(/^\.\//, '')
    const text = files[name]
    return text === undefined ? undefined : { path: name, shown: name, text }
  }

t.test('a template: the line is counted in the file, and ${…} is any text', async t => {
  const file = [
    'const other = `',
    '  y[i] = 2.0 * x[i];',
    '`',
    'export const halved = width => kernel({',
    '  code: `',
    'fn main() {',
    '  let n = ${width * 2}u; y[i] = gain * x[i];',
    '  y[i] = 2.0 * x[i];',
    '}`,',
    '})',
  ].join('\n')
  const code = '\nfn main() {\n  let n = 128u; y[i] = gain * x[i];\n  y[i] = 2.0 * x[i];\n}'
  const at = (line: number, column: number) =>
    sourcePlace(code, { line, column }, 'k.mjs:4', reader({ 'k.mjs': file }))
  t.equal(at(3, 24), 'k.mjs:7:33', 'the column is moved by what the template has in place of 128')
  t.equal(at(3, 11), 'k.mjs:7:11', 'a place in the number is that of its expression')
  t.equal(at(4, 3), 'k.mjs:8:3', 'of two equal lines the one among the same lines')
  t.equal(at(5, 1), 'k.mjs:9:1')
})

t.test('texts in quotes, and a file that the module names', async t => {
  const files = {
    'k.mjs':
      "import { tail } from './tail.ts'\nkernel({ code: 'fn main() {\\n  y[0] = gain;\\n' + read('./body.wgsl') + tail })",
    'body.wgsl': '// adds\n  y[1] = loss + 1.0;\r\n',
    'tail.ts': 'export const tail = `\n  y[2] = none;\n}`',
  }
  const code = 'fn main() {\n  y[0] = gain;\n// adds\n  y[1] = loss + 1.0;\n\n  y[2] = none;\n}'
  const at = (line: number, column: number) => sourcePlace(code, { line, column }, 'k.mjs:2', reader(files))
  t.equal(at(2, 10), 'k.mjs:2:39')
  t.equal(at(4, 10), 'body.wgsl:2:10')
  t.equal(at(6, 10), 'tail.ts:2:10')
})

t.test('a line that stands nowhere, and a file that cannot be read, have no place', async t => {
  const files = { 'k.mjs': 'kernel({ code: lines.join(made) })\n  ${all}\n' }
  t.equal(sourcePlace('a = b;', { line: 1, column: 1 }, 'k.mjs:1', reader(files)), undefined)
  t.equal(sourcePlace('a = b;', { line: 1, column: 1 }, 'none.mjs:1', reader(files)), undefined)
  t.equal(sourcePlace('a = b;', { line: 1, column: 1 }, '', reader(files)), undefined)
})
