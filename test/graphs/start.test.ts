// What `npm start` trains, with fewer updates: its report shows completions beside the frames that the model saw.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'
import { runGraph } from './flow-words.ts'

t.setTimeout(800_000)

t.test('each completion names a picture of the frames of its clip, in every pass', async t => {
  const directory = join(t.testdir({}), 'run')
  const { code, text } = await runGraph('demo/start.json', directory, { steps: 2, clips: 4, group: 2 })
  t.equal(code, 0, text)
  const samples = readFileSync(join(directory, 'samples.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { frames: string; question: string })
  t.equal(samples.length, 2 * 4 * 2)
  for (const { frames } of samples) t.ok(existsSync(join(directory, frames)), frames)
  t.equal(new Set(samples.map(({ frames }) => frames)).size, 4, 'one picture for each clip')
  t.ok(existsSync(join(directory, 'checkpoints/last/policy')), 'the model that is asked afterwards')
})

t.test(
  'the commands that it offers at its end can be run as printed, and the first gives the right answer',
  t => {
    const cwd = t.testdir({})
    const main = join(repository, 'dist/engine/cli/main.js')
    const env = { ...process.env, FLOW_CACHE: process.env.FLOW_CACHE ?? join(repository, '.cache/flow') }
    const run = (script: string) => execFileSync('bash', ['-ec', script], { cwd, env, encoding: 'utf8' })
    const few = '--set steps=1 --set clips=4 --set group=2'
    const said = run(`node ${join(repository, 'dist/engine/cli/start.js')} ${few}`)
    const [, offered = ''] = said.split(/^Next: .*$/m)
    t.equal(offered.match(/^ {2}npx flow /gm)?.length, 3, said)
    // The last one trains for minutes: it is checked.
    run(`npx() {
    shift
    case "$2" in
      flow:infer.json) node ${main} "$@" --out answer ;;
      flow:demo/*) node ${main} check "$2" ;;
      *) node ${main} "$@" ;;
    esac
  }
  ${offered}`)
    const linesOf = (file: string) =>
      readFileSync(join(cwd, file), 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    const right = linesOf('runs/start-1/after/samples.jsonl').find(({ rewards }) => rewards.accuracy === 1)
    t.equal(linesOf('answer/answers.jsonl')[0].answer, right.text)
    t.end()
  },
)
