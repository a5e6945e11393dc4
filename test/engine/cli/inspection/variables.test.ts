import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../../../fixtures.ts'
import { told } from '../told.ts'

t.setTimeout(300_000)

const clip = join(repository, 'graphs/demo/quiz/videos/red.mp4')

/** Every variable that a run may fail on, a wrong value of it, what `flow check` and `flow run` say, and the settings that need it. */
const wrong: readonly { name: string; value: string; says: RegExp; set?: readonly string[] }[] = [
  { name: 'FLOW_KERNELS', value: 'gpus', says: /must be cpu or gpu, found "gpus"/ },
  { name: 'FLOW_ADAPTER', value: '0,1', says: /must name one GPU, .*found "0,1"/ },
  { name: 'FLOW_CHECKS', value: 'yes', says: /must be 1 or not set, found "yes"/ },
  { name: 'FLOW_LEASE_SECONDS', value: 'ten', says: /must be a number of seconds, 1 or more, found "ten"/ },
  { name: 'FLOW_LEASE_SECONDS', value: 'Infinity', says: /must be a number of seconds, .*found "Infinity"/ },
  { name: 'FLOW_LEARNER_SECONDS', value: '0', says: /must be a number of seconds, 2 or more, found "0"/ },
  { name: 'FLOW_CACHE', value: clip, says: /must be a folder, found ".*red.mp4": a file/ },
  { name: 'FLOW_CACHE', value: join(clip, 'cache'), says: /must be a folder, .*red.mp4 above it is a file/ },
  { name: 'FFMPEG_BIN', value: '/nowhere/ffmpeg', says: /must be the path of an ffmpeg .*nothing is there/ },
  {
    name: 'FFMPEG_BIN',
    value: clip,
    says: /must be the path of an ffmpeg .*not a file that may be executed/,
  },
  { name: 'FFMPEG_BIN', value: process.execPath, says: /must be the path of an ffmpeg .*does not answer/ },
  {
    name: 'HF_ENDPOINT',
    value: 'mirror.example',
    says: /must be an address such as https:\/\/huggingface.co, found "mirror.example"/,
    set: ['model=Nobody/nothing'],
  },
  {
    name: 'HF_ENDPOINT',
    value: 'ftp://name:secret@mirror.example',
    says: /must be an address .*found "ftp:\/\/…@mirror.example"/,
    set: ['data=hf:Nobody/nothing/rows.jsonl'],
  },
]

/** Questions about a clip that is there. */
function prepare(folder: string): string {
  mkdirSync(join(folder, 'clips'))
  cpSync(clip, join(folder, 'clips/red.mp4'))
  const row = { video: 'clips/red.mp4', question: 'Which?', options: ['red', 'blue'], answer: 'A' }
  const data = join(folder, 'rows.jsonl')
  writeFileSync(data, `${JSON.stringify(row)}\n`.repeat(48))
  return data
}

for (const { name, value, says, set = [] } of wrong)
  t.test(`${name}=${value} is told once, before any work, by check and by run`, async t => {
    const data = prepare(t.testdir({}))
    const before = process.env[name]
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
    process.env[name] = value
    const words = ['flow:grpo.json', ...[`data=${data}`, ...set].flatMap(one => ['--set', one])]
    const check = await told('check', ...words)
    t.equal(check.code, 2)
    t.match(check.complaints, says)
    t.match(check.complaints, new RegExp(`^${name}: must .*\\n    fix:  \\S`, 'm'), 'where, rule, remedy')
    t.equal(check.complaints.split(`${name}: must`).length, 2, 'once')
    t.notMatch(check.text, /secret|broken-clips/)
    const out = t.testdirName.concat('/run')
    const run = await told('run', ...words, '--out', out)
    t.equal(run.code, 2)
    t.equal(run.complaints, check.complaints.replace(/.*a run .*would fail\n$/, ''), 'in the same words')
    t.notOk(existsSync(out), 'no folder of a run is left')
  })

t.test('a variable that a graph does not need is not looked at', async t => {
  const { FFMPEG_BIN, HF_ENDPOINT } = process.env
  t.teardown(() => {
    for (const [name, value] of Object.entries({ FFMPEG_BIN, HF_ENDPOINT }))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  })
  Object.assign(process.env, { FFMPEG_BIN: '/nowhere', HF_ENDPOINT: 'none' })
  const folder = t.testdir({
    'rows.jsonl': '{"a": 1}\n',
    'g.json': JSON.stringify({
      version: 1,
      summary: 'Copies rows.',
      nodes: {
        rows: { operator: 'read.jsonl', config: { path: `${t.testdirName}/rows.jsonl` } },
        file: {
          operator: 'write.jsonl',
          config: { path: `${t.testdirName}/copy.jsonl` },
          from: { items: 'rows.items' },
        },
      },
    }),
  })
  const { code, text } = await told('check', join(folder, 'g.json'))
  t.equal(code, 0, text)
})

t.test(
  'the number of a GPU that is not there is a problem of the command, not a failure of the check',
  async t => {
    const { code, complaints } = await told('check', 'flow:grpo.json', '--gpu', '77')
    t.equal(code, 2)
    t.match(
      complaints,
      /^--gpu: must name a GPU of this machine, found "77" .*\n.*no adapter has the number/m,
    )
  },
)

t.test(
  'credentials that are wrong are told where a run is given a server, once and before any work',
  async t => {
    const names = [
      'FLOW_NATS_TOKEN',
      'FLOW_NATS_USER',
      'FLOW_NATS_PASSWORD',
      'FLOW_NATS_NKEY',
      'FLOW_NATS_CREDS',
    ]
    const before = names.map(name => [name, process.env[name]] as const)
    const restore = () => {
      for (const [name, value] of before)
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
    }
    t.teardown(restore)
    const data = prepare(t.testdir({}))
    const words = ['flow:grpo.json', '--set', `data=${data}`]
    const out = t.testdirName.concat('/run')
    const cases: readonly (readonly [NodeJS.ProcessEnv, RegExp])[] = [
      [
        { FLOW_NATS_USER: 'me' },
        /^FLOW_NATS_PASSWORD: must be set beside FLOW_NATS_USER, found nothing \[bad-variable\]\n {4}fix: {2}set FLOW_NATS_PASSWORD, or unset FLOW_NATS_USER$/m,
      ],
      [{ FLOW_NATS_PASSWORD: 'sesame' }, /^FLOW_NATS_USER: must be set beside FLOW_NATS_PASSWORD/m],
      [
        { FLOW_NATS_TOKEN: 'sesame', FLOW_NATS_CREDS: data },
        /^FLOW_NATS_TOKEN: must be the only credentials, found FLOW_NATS_CREDS/m,
      ],
      [
        { FLOW_NATS_NKEY: '/nowhere/user.nk' },
        /^FLOW_NATS_NKEY: must name a file that this process may read, found \/nowhere/m,
      ],
      [{ FLOW_NATS_NKEY: data }, /^FLOW_NATS_NKEY: must name a file with the seed of a user, found no line/m],
    ]
    for (const [wrong, says] of cases) {
      restore()
      Object.assign(process.env, wrong)
      const run = await told('run', ...words, '--over', 'nats://127.0.0.1:9', '--out', out)
      t.equal(run.code, 2, run.text)
      t.match(run.complaints, says)
      t.equal(run.complaints.split('[bad-variable]').length, 2, 'once')
      t.notMatch(run.text, /sesame/)
      t.notOk(existsSync(out), 'no folder of a run is left')
      const check = await told('check', ...words)
      t.equal(check.code, 0, `a graph needs no server: ${check.text}`)
    }
    restore()
    const address = await told('run', ...words, '--over', 'host:4222', '--out', out)
    t.match(address, { code: 2, complaints: /must be the address of a NATS server/ })
    t.notOk(existsSync(out), 'no folder of a run is left')
  },
)
