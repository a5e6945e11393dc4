import t from 'tap'
import { parseSource } from '../../../../engine/graph/file/graph-file.ts'

t.test('comments are allowed, and places are those of the file', async t => {
  const text = '{ // what it is\n  /* the\n  version */ "version": 1,\n  "summary": "// no comment"\n}'
  const { source, problems } = parseSource('g.json', text)
  t.same(problems, [])
  t.same(source?.value, { version: 1, summary: '// no comment' })
  t.match(source?.place(['version'], 'value'), { line: 3, column: 25 })
})
