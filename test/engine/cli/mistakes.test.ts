import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { fixture, repository } from '../../fixtures.ts'
import type { Mistake } from './mistake.ts'
import { mistakes } from './mistakes.ts'
import { told, withNames } from './told.ts'

t.setTimeout(800_000)
// a run with this name would find no device
process.env.FLOW_ADAPTER = 'none of this name'

const environment = { ...process.env }
const here = process.cwd()
t.afterEach(() => {
  process.chdir(here)
  for (const name of ['FLOW_CACHE', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE']) {
    if (environment[name] === undefined) delete process.env[name]
    else process.env[name] = environment[name]
  }
})

const said = new Map<string, string>()

async function made({ name, command, files = {}, before }: Mistake, folder: string): Promise<string> {
  process.chdir(folder)
  for (const [file, text] of Object.entries(files)) writeFileSync(file, text)
  before?.(folder)
  const { complaints } = await told(...command)
  return `# ${name}\n$ flow ${command.join(' ')}\n${withNames(complaints, { DIR: folder, FLOW: repository })}`
}

for (const mistake of mistakes) {
  t.test(`${mistake.name}: says where, the rule, what was found and what to do`, async t => {
    const text = await made(mistake, t.testdir({}))
    said.set(mistake.name, text)
    const [, , first = ''] = text.split('\n')
    t.match(first, /\S+: /, 'a place')
    t.match(text, /must |no such|is not|needs/, 'a rule')
    t.match(text, /^ {4}fix: {2}\S/m, 'what to do')
    t.notMatch(text, /^\s+at .*[:(]\d+/m, 'no stack')
  })
}

t.test('what people read about each of them is as it was', async t => {
  t.ok(mistakes.length >= 50, `${mistakes.length} mistakes`)
  const all = mistakes.map(({ name }) => said.get(name)).join('\n')
  const file = fixture('mistakes.txt')
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, all)
  t.equal(all, readFileSync(file, 'utf8'), 'else look at UPDATE_GOLDEN=1 and its diff')
})
