// What flow ls, show and diff say about runs, and what --version says, also of runs that are torn or still going.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../../engine/cli/command.ts'
import { repository } from '../../../fixtures.ts'
import { testBed } from '../../support.ts'

async function flow(...words: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const say = (line: string) => {
    text += `${line}\n`
  }
  const world = { registry: testBed().registry, environment: {}, screen: { write: () => {} } }
  const code = await command(words, { ...world, print: say, complain: say, prepare: async () => {} })
  return { code, text }
}

const folder = t.testdir()

/** What else a status holds. */
const status = {
  ...{ process: 1, time: 0, seconds: 1, ended: true, paused: false, gauges: {}, metrics: {} },
  ...{ nodes: [], edges: [], live: { items: 0, bytes: 0, peakItems: 0, peakBytes: 0 } },
}

function makeRun(name: string, manifest: object, more: Record<string, string> = {}): string {
  const run = join(folder, name)
  mkdirSync(run)
  writeFileSync(
    join(run, 'manifest.json'),
    JSON.stringify({ graph: 'g.json', seed: 3, set: [], ...manifest }),
  )
  for (const [file, text] of Object.entries(more)) writeFileSync(join(run, file), text)
  return run
}

const one = makeRun(
  'one',
  {
    started: '2026-01-02T03:04:05Z',
    status: 'completed',
    seconds: 12,
    params: { steps: 4 },
    resolved: { checkpoint: { best: 'eval/accuracy' }, nodes: { a: { config: { rate: 1 } } } },
  },
  {
    'metrics.jsonl': '{"step":3,"reward":0.25,"loss":2}\n{"step":4,"reward":0.5}\n{"step":5,"rew',
    'basis.json': '{"/data/rows.jsonl":"9 bytes, a"}',
  },
)
mkdirSync(join(one, 'checkpoints/000004/policy'), { recursive: true })
writeFileSync(join(one, 'checkpoints/000004/policy/config.json'), '{}')
writeFileSync(
  join(one, 'checkpoints/000004/state.json'),
  JSON.stringify({
    version: 1,
    seed: 3,
    acknowledged: 4,
    skipped: 0,
    cursors: {},
    edges: {},
    files: {},
    best: { checkpoint: '000004', value: 0.75 },
  }),
)
const two = makeRun(
  'two',
  {
    started: '2026-01-01T03:04:05Z',
    status: 'failed',
    error: { message: 'sample 7: broken', remedy: 'mend row 7' },
    params: { steps: 4 },
    seed: 4,
    resolved: { checkpoint: { best: 'eval/accuracy' }, nodes: { a: { config: { rate: 2 } } } },
  },
  { 'metrics.jsonl': '{"step":2,"reward":0.75}\n', 'basis.json': '{"/data/rows.jsonl":"9 bytes, b"}' },
)
mkdirSync(join(folder, 'torn'))
writeFileSync(join(folder, 'torn/manifest.json'), '{"graph"')
makeRun('killed', { started: '2026-01-03T03:04:05Z' })

t.test('ls lists runs by their start; a torn one hides no other, a killed one is told', async t => {
  const { code, text } = await flow('ls', folder)
  t.equal(code, 0)
  const rows = text.trim().split('\n').slice(1)
  t.match(rows[0], /torn .*cannot be read/)
  t.match(rows[1], /two .*failed .*2 of 4 updates .*mean reward 0\.75 .*2026-01-01 03:04 .*g\.json/)
  t.match(rows[2], /one .*completed .*4 of 4 updates .*mean reward 0\.375 /)
  t.match(rows[3], /killed .*ended without notice/)
  t.match(await flow('ls', t.testdir()), { code: 0, text: /no run in it/ })
})

t.test('ls names graphs and models as people type them, and finds runs in folders within', async t => {
  const manifest = (more: object) => JSON.stringify({ graph: 'g.json', seed: 0, set: [], ...more })
  const shipped = join(repository, 'graphs/grpo.json')
  const place = t.testdir({
    'start-1': {
      train: {
        'manifest.json': manifest({
          graph: shipped,
          started: '2026-01-01T00:00:00Z',
          status: 'completed',
          models: { policy: 'builtin:cold-start', judge: '/models/judge' },
        }),
        'metrics.jsonl': Array.from({ length: 12 }, (_, i) => `{"step":${i + 1},"reward":${i}}\n`).join(''),
        checkpoints: { '000001': { 'manifest.json': '{}' } },
      },
      after: {
        'manifest.json': manifest({
          started: '2026-01-02T00:00:00Z',
          status: 'completed',
          workingDirectory: '/elsewhere',
          evaluation: [{ folder: 'out', benchmark: 'own', score: 'micro', accuracy: 0.5, questions: 40 }],
        }),
        'status.json': JSON.stringify({ progress: { done: 40, total: 40, of: 'questions' }, ...status }),
      },
    },
    votes: {
      'manifest.json': manifest({ started: '2026-01-03T00:00:00Z', status: 'completed' }),
      'metrics.jsonl': '{"step":1,"best/accuracy":0.625}\n',
    },
    'work-host-7': { epoch: { 'manifest.json': manifest({ part: 'rollouts' }) } },
  })
  const { text } = await flow('ls', place)
  const rows = text.trim().split('\n').slice(1)
  t.equal(rows.length, 3, text)
  t.match(
    rows[0],
    /start-1\/train +completed +12 updates +mean reward 6\.5 +\S+ \S+ +flow:grpo\.json +builtin:cold-start, \/models\/judge$/,
    'the mean of the last ten',
  )
  t.match(rows[1], /after +completed +40 of 40 questions +accuracy 50\.0 % of 40 +.* \/elsewhere\/g\.json$/)
  t.match(rows[2], / best\/accuracy 62\.5 % {2}/, 'a line of metrics is no number of questions')
  const shown = await flow('show', join(place, 'start-1/after'))
  t.match(shown.text, /result +own: micro accuracy 50\.0 %, 40 questions, in \/elsewhere\/out/)
  t.match(await flow('show', join(place, 'start-1')), { code: 2, text: /must be a run directory/ })
})

t.test('show names the best checkpoint, the newest metrics, and the command to go on with', async t => {
  const { code, text } = await flow('show', one)
  t.equal(code, 0)
  t.match(text, /status +completed, 4 of 4 updates\n +started .*\n +time +12s/)
  t.match(text, /best +000004 \(eval\/accuracy 0\.75\)/)
  t.match(text, /reward +0\.5/)
  t.match(text, /loss +2/, 'the newest value of each')
  t.match(text, /run --resume .*one --steps 8/)
  t.match(text, /run flow:infer\.json --set model=.*one\/checkpoints\/000004\/policy --set video=CLIP/)
  const failed = await flow('show', two)
  t.match(failed, { code: 0, text: /error +sample 7: broken\n +fix +mend row 7/ })
  t.match(
    failed.text,
    /next\n +first mend the cause, the error above; then\n.*--resume .*two .*\n.*two --accept-changes/,
  )
  t.match(failed.text, /flow run \S*g\.json --seed 4 {3}# begins anew/)
  t.match(await flow('show', folder), { code: 2, text: /must be a run directory/ })
})

t.test('a run that is named without its folder, or with a slip of the pen, is told its path', async t => {
  const here = process.cwd()
  process.chdir(t.testdir({ runs: { stopped: { 'manifest.json': '{"graph":"g.json"}' } } }))
  t.teardown(() => process.chdir(here))
  for (const name of ['stopped', 'stoped', 'runs/stoped'])
    t.match(
      await flow('show', name),
      { code: 2, text: /must be a run directory.*\n.*write runs\/stopped\n/ },
      name,
    )
  t.match(await flow('show', 'another'), { code: 2, text: /"flow ls" lists the runs/ })
})

t.test('show asks a model as its training did', async t => {
  const asked = join(one, 'checkpoints/000004/policy/asked.json')
  t.teardown(() => rmSync(asked))
  writeFileSync(asked, JSON.stringify({ frames: [8], words: [' Answer.'], tokens: [48] }))
  const { text } = await flow('show', one)
  t.match(text, /--set model=\S+policy --set frames=8 --set maxNewTokens=48 --set video=CLIP/)
})

t.test('show without a run takes the newest in runs', async t => {
  const here = process.cwd()
  const place = t.testdir({
    runs: Object.fromEntries(
      ['2026-01-02', '2026-01-04', '2026-01-03'].map((day, i) => [
        `run-${i}`,
        {
          'manifest.json': JSON.stringify({
            graph: `g${i}.json`,
            seed: 1,
            set: [],
            started: day,
            status: 'completed',
          }),
        },
      ]),
    ),
    empty: {},
  })
  t.teardown(() => process.chdir(here))
  process.chdir(place)
  t.match(await flow('show'), { code: 0, text: /^runs\/run-1\n[\s\S]*graph +\S*g1\.json/ })
  process.chdir(join(place, 'empty'))
  t.match(await flow('show'), { code: 2, text: /must name one run directory, found nothing/ })
})

t.test('diff of two runs tells config, data and metrics apart', async t => {
  const { code, text } = await flow('diff', one, two)
  t.equal(code, 0)
  t.match(text, /^config\n[\s\S]*seed: was 3, is 4[\s\S]*resolved\.nodes\.a\.config\.rate: was 1, is 2/)
  t.match(text, /\ndata\n.*rows\.jsonl: was "9 bytes, a", is "9 bytes, b"/)
  t.match(await flow('diff', one, one), { code: 0, text: 'no difference\n' })
})

t.test(
  'diff compares runs over their course: where they part, how good they became, how long they took',
  async t => {
    const line = (step: number, reward: number, seconds: number) =>
      `${JSON.stringify({ step, reward, tokens_per_second: step * 7, seconds })}\n`
    const steps = Array.from({ length: 30 }, (_, i) => i + 1)
    const left = makeRun('left', {}, { 'metrics.jsonl': steps.map(step => line(step, step, step)).join('') })
    // parts at update 5, is best at 20, was resumed after 10
    const right = makeRun(
      'right',
      {},
      {
        'metrics.jsonl': steps
          .slice(0, 24)
          .map(step => line(step, step < 5 ? step : step < 21 ? step + 1 : 0, step <= 10 ? step : step - 10))
          .join(''),
      },
    )
    const { text } = await flow('diff', left, right)
    t.match(text, /they part at update 5: reward 5 and 6\n/)
    t.match(text, /updates: 30 and 24\n/)
    t.match(text, /best mean reward of 10 updates in a row: 25\.5 at update 30 and 16\.5 at update 20\n/)
    t.match(text, /time of the updates: 30s and 24s\n/, 'both parts of the resumed one')
    t.match(text, /mean of updates 15 to 24 .*\n.*reward +19\.5 +11\.1 +-8\.4/)
    const twin = makeRun(
      'twin',
      {},
      { 'metrics.jsonl': steps.map(step => line(step, step, 2 * step)).join('') },
    )
    t.match(await flow('diff', left, twin), {
      text: /^metrics\n +equal in all 30 updates\n +time .*30s and 1m00s\n$/,
    })
  },
)

t.test(
  'diff of two evaluations tells their scores, and how to compare them question by question',
  async t => {
    const score = (accuracy: number) => ({
      evaluation: [{ folder: '/results/a', benchmark: 'own', score: 'micro', accuracy, questions: 40 }],
    })
    const { text } = await flow('diff', makeRun('low', score(0.5)), makeRun('high', score(0.75)))
    t.match(
      text,
      /scores\n +own micro accuracy: 50\.0 % of 40, 75\.0 % of 40\n.*compare \/results\/a \/results\/a/,
    )
  },
)

t.test('--version names the package', async t => {
  t.match(await flow('--version'), { code: 0, text: /^\S+ \d+\.\d+\.\d+\n$/ })
})
