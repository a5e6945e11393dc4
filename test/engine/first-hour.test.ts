// The first hour of a researcher: what README.md says about one's own weights, data, reward and kernel is done as it stands
// there, in a folder into which the package was installed.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { repository } from '../fixtures.ts'
import { make } from '../operators/video/clips.ts'
import { flow, home, lines, write } from './installed.ts'

t.setTimeout(800_000)
const page = readFileSync(join(repository, 'README.md'), 'utf8')
/** The part of the page under a heading. */
const under = (title: string): string => page.split(/^## /m).find(part => part.startsWith(title)) ?? ''

/** The commands of a text, each on one line: those in its sentences, and those of its blocks. */
const commandsIn = (text: string): string[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```|`(npx flow [^`]+)`/g)].flatMap(([, block, inText = '']) =>
    (block ?? inText)
      .replaceAll('\\\n', '')
      .split('\n')
      .map(line => line.replace(/ {2,}#.*$/, '').trim())
      .filter(line => line !== ''),
  )

/** What the page calls by these names. */
const names: readonly (readonly [RegExp, string])[] = [
  [/\bDIR\b/g, 'my-model'],
  [/\bFILE\b/g, 'mine.jsonl'],
  [/\bTHOUGHTS\.json/g, 'thoughts.json'],
  [/\bQUESTIONS\.csv/g, 'questions.csv'],
  [/\bCLIP\.mp4/g, 'clips/1.mp4'],
  [/steps=100\b/g, 'steps=2'],
]

/** Does what a line of the page says in the folder of the package; what was printed. */
async function paste(t: Test, line: string): Promise<string> {
  const words = names.reduce((text, [name, value]) => text.replace(name, value), line)
  const script = `npx() { shift; "${process.execPath}" "${flow}" "$@"; }\n${words}`
  const { NODE_OPTIONS: _, ...environment } = process.env
  const child = spawn('bash', ['-c', script], { cwd: home, env: environment })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', part => {
      text += part
    })
  const code = await new Promise<number | null>(done => child.on('close', done))
  t.equal(code, 0, `${words}\n${text}`)
  return text
}

const question = 'What is shown?'
mkdirSync(join(home, 'clips'))
const clips = [1, 2, 3].map(clip => `clips/${clip}.mp4`)
for (const clip of clips)
  await make(home, `-f lavfi -i testsrc=duration=2:size=64x48:rate=8 -pix_fmt yuv420p @${clip}`)
write(
  'mine.jsonl',
  clips
    .map(clip => ({
      video_filename: `./${clip}`,
      problem: `${question}\nA. a card\nB. a cat`,
      solution: 'A',
    }))
    .map(row => `${JSON.stringify(row)}\n`)
    .join(''),
)
write(
  'questions.csv',
  `video,question,a,b,c,d,answer\n${clips.map(clip => `${clip},${question},a card,a cat,a dog,a tree,A\n`).join('')}`,
)
write(
  'rows.csv',
  `clip,q,first,second,label\n${clips.map((_, i) => `${i + 1}.mp4,${question},a card,a cat,a card\n`).join('')}`,
)
write(
  'thoughts.json',
  JSON.stringify(
    // as many as the published ones: the four updates that the schedule spans
    Array.from({ length: 16 }, (_, i) => ({
      video: clips[i % clips.length],
      conversations: [
        { from: 'human', value: `<image>\n${question}` },
        { from: 'gpt', value: '<think> A card. </think> <answer> A </answer>' },
      ],
    })),
  ),
)

t.test('own weights, data, questions and judge: each command as it stands', async t => {
  const commands = commandsIn(under('Your own weights and data'))
  // these need weights or benchmarks of others, a checkout, or name no graph
  const elsewhere = /flow:assemble|flow:eval\/mvbench|test\/fixtures\/| GRAPH /
  const asked = commands.filter(line => !elsewhere.test(line))
  t.equal(commands.length - asked.length, 4, 'the commands that are not run')
  const makes = asked.find(line => line.includes('new checkpoint')) ?? ''
  await paste(t, makes)
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.end(JSON.stringify({ choices: [{ message: { content: '0.25' } }] }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  // the cast: a server that listens on a port has such an address
  const { port } = server.address() as AddressInfo
  for (const [i, line] of asked.filter(line => line !== makes).entries()) {
    const here = line.replace('localhost:8000', `127.0.0.1:${port}`).replace('RESULTS', `results-${i}`)
    t.notMatch(await paste(t, here), / warning: /, here)
    if (!here.includes('results-')) continue
    t.equal(lines(`results-${i}/results.jsonl`).length, 3, 'each question has its result')
  }
  const runs = readdirSync(join(home, 'runs'))
  const samples = (name: string) => lines(`runs/${runs.find(run => run.startsWith(name))}/samples.jsonl`)
  t.same(new Set(samples('judge-chat').map(({ reward }) => reward)), new Set([0.25]))
  t.equal(samples('judge-2').length, 12, 'four answers to each question')
  t.ok(samples('grpo').length > 8, 'two updates')
})

t.test('own reward and kernel: each command and graph as it stands', async t => {
  const text = under('Your own reward and kernel')
  for (const [, name = '', json = ''] of text.matchAll(/`(\w+\.json)`[^`]*\n\n```json\n([\s\S]*?)```/g))
    write(name, json)
  // a command in a sentence is in a block, too
  const commands = new Set(commandsIn(text))
  t.match([...commands].join('\n'), /new reward[\s\S]*run brief[\s\S]*new kernel[\s\S]*run double/)
  for (const line of commands) await paste(t, line.replace('run brief.json', 'run brief.json --set steps=2'))
  t.same(lines('doubled.jsonl'), [{ values: [2, -4, 6] }])
  const run = readdirSync(join(home, 'runs')).find(name => name.startsWith('brief-'))
  for (const { reward, rewards } of lines(`runs/${run}/samples.jsonl`)) {
    const { accuracy, format, brief } = rewards
    t.ok(brief >= 0 && brief < 1 && Number.isFinite(accuracy + format + reward), JSON.stringify(rewards))
  }
  const earned = lines(`runs/${run}/samples.jsonl`).map(({ rewards }) => rewards.brief)
  t.ok(new Set(earned).size > 1, `completions must differ in the reward, else nothing is learned: ${earned}`)
})
