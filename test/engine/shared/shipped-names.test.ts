import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageFolder } from '../../../engine/shared/package-folder.ts'
import { withShippedNames } from '../../../engine/shared/shipped-names.ts'

const graphs = join(packageFolder, 'graphs')

t.test('graphs of the package are named as commands name them', async t => {
  const told = withShippedNames(
    `${graphs}/grpo.json:1:2 extends ${graphs}/parts/benchmark.json, ${graphs}/none: x`,
  )
  t.equal(told, 'flow:grpo.json:1:2 extends flow:parts/benchmark.json, flow:none: x')
})

t.test('what lies beside graphs is shown as a path that can be opened', async t => {
  for (const name of ['demo/quiz/videos/red.mp4', 'demo/quiz/videos', 'demo/quiz/video_info.meta.jsonl']) {
    const path = join(graphs, name)
    t.ok(existsSync(path))
    t.equal(withShippedNames(`"${path}": not so`), `"${path}": not so`)
  }
  t.equal(withShippedNames(`${graphs}/demo/none.mp4`), `${graphs}/demo/none.mp4`, 'also what is not there')
})
