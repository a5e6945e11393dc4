import t from 'tap'
import { duration, progressLine } from '../../../engine/cli/progress.ts'

function screen(isTTY: boolean) {
  let text = ''
  return { isTTY, columns: 60, write: (more: string) => (text += more), text: () => text }
}

const record = (entry: object) => ({ type: 'record', stream: 'metrics', entry: { ...entry } }) as const

t.test('elsewhere than on a terminal each update is a line', async t => {
  const on = screen(false)
  let time = 0
  const line = progressLine(on, () => time)
  line.event({ type: 'progress', state: { done: 0, total: 4 } })
  for (const step of [1, 2, 3]) {
    time += 2000
    line.event(record({ step, reward: 0.5, loss: 1e-8, tokens_per_second: 1234.5 }))
  }
  line.event({ type: 'record', stream: 'samples', entry: { step: 9 } })
  line.event({ type: 'log', message: 'hello' })
  line.end()
  t.same(on.text().split('\n'), [
    'step 1/4  reward 0.500  loss 1.0e-8  tokens/s 1235',
    'step 2/4  reward 0.500  loss 1.0e-8  tokens/s 1235  ETA 4s',
    'step 3/4  reward 0.500  loss 1.0e-8  tokens/s 1235  ETA 2s',
    'hello',
    '',
  ])
  t.equal(line.steps, 3)
})

t.test('on a terminal one line is rewritten, and other text does not run into it', async t => {
  const on = screen(true)
  const line = progressLine(on, () => 0)
  line.event(record({ reward: 1 }))
  line.event(record({ reward: 2, loss: 3 }))
  line.event({ type: 'log', message: 'hello' })
  line.event(record({}))
  line.end()
  const clear = '\r\x1b[2K'
  t.equal(on.text(), `step 1  reward 1.000${clear}step 2  reward 2.000  loss 3.0000${clear}hello\nstep 3\n`)
})

t.test('times read as people write them', async t => {
  t.same([0, 59.4, 65, 3600, 7620].map(duration), ['0s', '59s', '1m05s', '1h00m', '2h07m'])
})
