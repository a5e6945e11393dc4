import t from 'tap'
import { joinLine, keepTurns } from '../../../kernels/device/turn-line.ts'
import { Turns, turnsIn } from '../../../kernels/device/turns.ts'

t.setTimeout(60_000)

t.test(
  'processes that share a GPU have their turn one after the other, in the order in which they ask',
  async t => {
    const keeper = await keepTurns()
    t.teardown(() => keeper.close())
    const [first, second, third] = [0, 0, 0].map(gpu => joinLine(keeper.place(gpu)))
    const other = joinLine(keeper.place(1))
    if (!first || !second || !third) return
    const order: string[] = []
    const take = async (name: string, line: typeof first) => {
      await line.take()
      order.push(name)
    }
    await take('first', first)
    t.equal(first.isWanted, false)
    const waiting = take('second', second)
    await until(() => first.isWanted)
    await take('other', other)
    t.same(order, ['first', 'other'], 'another GPU has a line of its own')
    const last = take('third', third)
    first.leave()
    await waiting
    await until(() => second.isWanted)
    second.leave()
    await last
    t.same(order, ['first', 'other', 'second', 'third'])
    t.equal(third.isWanted, false, 'nobody is after it')
  },
)

t.test('a process that ends leaves its line, and without the keeper nobody waits', async t => {
  const { spawn } = await import('node:child_process')
  const keeper = await keepTurns()
  const [path = ''] = keeper.place(0).split('#')
  const program = `
    const socket = require('node:net').connect(${JSON.stringify(path)})
    socket.write('take 0\\n')
    socket.on('data', () => console.log('mine'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise(has => child.stdout.once('data', has))
  const line = joinLine(keeper.place(0))
  const taken = line.take()
  child.kill('SIGKILL')
  await taken
  t.pass('the turn of the one that was killed is over')
  const next = joinLine(keeper.place(0))
  const waiting = next.take()
  await until(() => line.isWanted)
  keeper.close()
  await waiting
  await next.take()
  t.pass('a lost keeper holds nobody up')
})

t.test(
  'a turn is given back when others wait and its time is over, after the work that was submitted',
  async t => {
    const events: string[] = []
    const line = {
      isWanted: false,
      take: async () => {
        events.push('take')
      },
      leave: () => events.push('leave'),
    }
    const turns = new Turns(line, async () => {
      events.push('finish')
    })
    await turns.begin()
    await turns.begin()
    t.same(events, ['take'], 'it keeps its turn while it works')
    line.isWanted = true
    await until(async () => {
      await turns.begin()
      return events.length > 1
    })
    t.same(events.slice(0, 4), ['take', 'finish', 'leave', 'take'])
  },
)

t.test('a process without work gives its turn back, though it says nothing', async t => {
  const events: string[] = []
  const take = turnsIn(
    { isWanted: true, take: async () => void events.push('take'), leave: () => void events.push('leave') },
    async () => {},
  )
  await take()
  await until(() => events.includes('leave'))
  t.same(events, ['take', 'leave'])
  await take()
  t.same(events, ['take', 'leave', 'take'])
})

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(done => setTimeout(done, 2))
}
