import t from 'tap'
import { duration, logLevels, progressLine } from '../../../engine/cli/progress.ts'
import type { NodeStatus } from '../../../engine/run/record/status.ts'
import type { RunEvent } from '../../../engine/run/summary.ts'

function screen(isTTY: boolean) {
  let text = ''
  return { isTTY, columns: 60, write: (more: string) => (text += more), text: () => text }
}

const record = (entry: object) => ({ type: 'record', stream: 'metrics', entry: { ...entry } }) as const

t.test(
  'elsewhere than on a terminal a line every five seconds tells of the newest update, and the last one is told',
  async t => {
    const on = screen(false)
    let time = 0
    const line = progressLine(on, { now: () => time })
    line.event({ type: 'progress', state: { done: 0, total: 6 } })
    for (const step of [1, 2, 3, 4, 5, 6]) {
      time += 2000
      line.event(record({ step, reward: 0.5, loss: 1e-8, tokens_per_second: 1234.5 }))
    }
    line.event({ type: 'record', stream: 'samples', entry: { step: 9 } })
    line.event({ type: 'log', level: 'info', message: 'hello' })
    line.end()
    t.same(on.text().split('\n'), [
      'step 1/6  reward 0.500  loss 1.0e-8  tokens/s 1235',
      'step 4/6  reward 0.500  loss 1.0e-8  tokens/s 1235  ETA 4s',
      'hello',
      'step 6/6  reward 0.500  loss 1.0e-8  tokens/s 1235',
      '',
    ])
    t.equal(line.done, '6 steps')
  },
)

t.test('on a terminal one line is rewritten, and other text does not run into it', async t => {
  const on = screen(true)
  const line = progressLine(on, { now: () => 0 })
  line.event(record({ reward: 1 }))
  line.event(record({ reward: 2, loss: 3 }))
  line.event({ type: 'log', level: 'info', message: 'hello' })
  line.event(record({}))
  line.end()
  const clear = '\r\x1b[2K'
  t.equal(on.text(), `step 1  reward 1.000${clear}step 2  reward 2.000  loss 3.0000${clear}hello\nstep 3\n`)
})

t.test('times read as people write them', async t => {
  t.same([0, 59.4, 65, 3600, 7620].map(duration), ['0s', '59s', '1m05s', '1h00m', '2h07m'])
})

/** A status after this number of seconds: for each node, its items so far and the share of time in which it worked. */
const status = (
  seconds: number,
  counts: Readonly<Record<string, [items: number, working: number]>>,
): RunEvent => {
  const nodes = Object.entries(counts).map(([name, [items, working]]): NodeStatus => {
    return {
      name,
      operator: 'o',
      state: 'working',
      items,
      rate: 0,
      workSeconds: 1,
      working,
      blocked: 0,
      waiting: 0,
    }
  })
  const live = { items: 0, bytes: 0, peakItems: 0, peakBytes: 0 }
  const rest = {
    process: 1,
    time: 0,
    seconds,
    ended: false,
    paused: false,
    edges: [],
    gauges: {},
    metrics: {},
  }
  return { type: 'status', status: { ...rest, nodes, live } }
}

t.test('before the first update the line counts the items of each node', async t => {
  const on = screen(true)
  const line = progressLine(on, { now: () => 0 })
  line.event(status(2, { clips: [25, 0.1], idle: [0, 0], encode: [6, 0.9] }))
  line.event(record({ step: 1, reward: 1 }))
  line.event(status(3, { clips: [30, 0.1], encode: [6, 0.9] }))
  line.end()
  t.equal(on.text(), 'clips 25  encode 6\r\x1b[2Kstep 1  reward 1.000\n')
})

t.test('questions are counted with the time that is left, every five seconds', async t => {
  const on = screen(false)
  let seconds = 0
  const line = progressLine(on, { now: () => seconds * 1000 })
  line.event(status(1, { clips: [3, 1] }))
  for (let done = 1; done <= 40; done++) {
    seconds += 2
    line.event({ type: 'progress', state: { done, total: 40, of: 'questions' } })
  }
  line.end()
  const lines = on.text().trimEnd().split('\n')
  t.equal(lines[0], 'clips 3')
  t.equal(lines[1], '3 of 40 questions  ETA 1m14s')
  t.equal(lines.at(-1), '40 of 40 questions')
  t.ok(lines.length < 20, `${lines.length} lines in 80 seconds`)
  t.equal(line.done, '40 questions')
})

t.test('means of rewards over the questions so far stand beside their number', async t => {
  const on = screen(true)
  const line = progressLine(on, { now: () => 0 })
  line.event({ type: 'progress', state: { done: 1, total: 2, of: 'questions' } })
  line.event(record({ step: 1, 'seen/accuracy': 0.5, 'rewards/accuracy': 1 }))
  line.end()
  t.match(on.text(), /1 of 2 questions {2}seen\/accuracy 0.500\n$/)
})

t.test('a mean that is of more questions than are done says of how many', async t => {
  const on = screen(true)
  const line = progressLine(on, { now: () => 0 })
  line.event({ type: 'progress', state: { done: 10, total: 40, of: 'questions' } })
  line.event(record({ step: 11, 'seen/accuracy': 8 / 11 }))
  line.event({ type: 'progress', state: { done: 11, total: 40, of: 'questions' } })
  line.end()
  const lines = on.text().trimEnd().split('\r\x1b[2K')
  t.same(lines.slice(-2), [
    '10 of 40 questions  seen/accuracy 0.727 of 11',
    '11 of 40 questions  seen/accuracy 0.727  ETA 0s',
  ])
})

t.test('a run that is stopped says how many items are still to come', async t => {
  const on = screen(true)
  const line = progressLine(on, { now: () => 0 })
  line.event(record({ step: 4, reward: 1 }))
  line.event({ type: 'acknowledged', key: '1', open: 7 })
  line.stopping(3)
  line.event({ type: 'acknowledged', key: '2', open: 1 })
  line.end()
  t.same(on.text().trimEnd().split('\r\x1b[2K'), [
    'step 4  reward 1.000',
    'step 4  reward 1.000  stopping: 3 items to go',
    'step 4  reward 1.000  stopping: 1 item to go',
  ])
})

t.test('lines of the log below the level are left out, graver ones say what they are', async t => {
  const texts = logLevels.map(level => {
    const on = screen(false)
    const line = progressLine(on, { level })
    for (const told of logLevels) line.event({ type: 'log', level: told, message: 'm' })
    return on.text()
  })
  t.same(texts, [
    'debug: m\nm\nwarn: m\nerror: m\n',
    'm\nwarn: m\nerror: m\n',
    'warn: m\nerror: m\n',
    'error: m\n',
  ])
})

t.test('a line that a node has begun to print is not torn by rates or updates, only by the log', async t => {
  const on = screen(false)
  let isMidLine = false
  const line = progressLine(on, { now: () => 0, isMidLine: () => isMidLine })
  on.write('<answer> C')
  isMidLine = true
  line.event(record({ step: 1, reward: 0.5 }))
  t.equal(on.text(), '<answer> C')
  line.event({ type: 'log', level: 'warn', message: 'hello' })
  t.equal(on.text(), '<answer> C\nwarn: hello\n')
  isMidLine = false
  line.end()
  t.match(on.text(), /hello\nstep 1 {2}reward 0.500\n$/, 'and what was held back is told at the end')
})
