import t from 'tap'
import { verbs } from '../../../../engine/cli/command.ts'
import { isScreen, paste, tryExamples } from './examples.ts'

/** The other half is in help-more.test.ts: together they take longer than a file may. */
tryExamples(Object.keys(verbs).slice(0, 9))

t.test('the overview is one screen and names every verb', async t => {
  const { out } = await paste('flow')
  t.ok(isScreen(out))
  for (const name of Object.keys(verbs)) if (name !== 'help') t.match(out, `  flow ${name} `)
})
