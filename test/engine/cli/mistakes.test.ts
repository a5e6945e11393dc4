import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { fixture, repository } from '../../fixtures.ts'
import { enter, type Mistake } from './mistake.ts'
import { mistakes } from './mistakes.ts'
import { told, withNames } from './told.ts'

t.setTimeout(800_000)
// a run with this name would find no device
process.env.FLOW_ADAPTER = 'none of this name'

const environment = { ...process.env }
const here = process.cwd()
t.afterEach(() => {
  process.chdir(here)
  for (const name of ['FLOW_CACHE', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE', 'HF_HOME']) {
    if (environment[name] === undefined) delete process.env[name]
    else process.env[name] = environment[name]
  }
})

const said = new Map<string, string>()

async function made(mistake: Mistake, folder: string): Promise<string> {
  const { name, command } = mistake
  enter(folder, mistake)
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

/** The command with the words that a remedy says to write, in place of what it complains of; undefined if it says none. */
function mended(command: readonly string[], subject: string, remedy: string): readonly string[] | undefined {
  const [, written = ''] = /^write (?:flow )?"?([^"]+?)"?$/.exec(remedy) ?? []
  const words = written.split(' ')
  if (written === '' || words[0] === 'it' || words[0] === 'the') return undefined
  const set = command.findIndex((word, i) => word === '--set' && `--set ${command[i + 1]}` === subject)
  if (set >= 0) return words[0]?.startsWith('--') ? command.with(set + 1, words[1] ?? '') : undefined
  const at = command.indexOf(subject)
  return at < 0 || words.length > 1 ? undefined : command.with(at, written)
}

t.test('a remedy that says what to write mends the command', async t => {
  let tried = 0
  for (const mistake of mistakes) {
    const { name, command } = mistake
    const [first = '', ...lines] = (said.get(name) ?? '').split('\n').slice(2)
    const subject = first.slice(0, first.indexOf(': '))
    const remedy = lines.find(line => line.startsWith('    fix:  '))?.slice('    fix:  '.length) ?? ''
    const right = mended(command, subject, remedy)
    // a page is served until somebody ends it
    if (right === undefined || right[0] === 'view') continue
    tried++
    enter(t.testdir({}), mistake)
    // what would run is looked at only
    const [verb = '', ...words] = right
    const seed = words.indexOf('--seed')
    const looked =
      verb === 'run' && !words.includes('--resume')
        ? ['check', ...words.filter((_, i) => seed < 0 || i < seed || i > seed + 1)]
        : right
    const { complaints } = await told(...looked)
    t.notOk(complaints.includes(first), `${name}: flow ${right.join(' ')}: ${complaints}`)
  }
  t.ok(tried >= 10, `${tried} remedies`)
})

t.test('what people read about each of them is as it was', async t => {
  t.ok(mistakes.length >= 50, `${mistakes.length} mistakes`)
  const all = mistakes.map(({ name }) => said.get(name)).join('\n')
  const file = fixture('mistakes.txt')
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, all)
  t.equal(all, readFileSync(file, 'utf8'), 'else look at UPDATE_GOLDEN=1 and its diff')
})
