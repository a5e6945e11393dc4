// Every example of graphs/examples is run on the embedded model, and a number must come out of it.
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { runGraph } from './flow-words.ts'

t.setTimeout(800_000)
const folder = t.testdir({})

type Line = Record<string, number> & { key: string; rewards: Record<string, number>; text: string }

/** Runs an example, and reads what it recorded. */
async function run(name: string, params: Record<string, string | number> = {}) {
  const directory = join(folder, name)
  const { code, text } = await runGraph(`examples/${name}.json`, directory, params)
  t.equal(code, 0, text)
  t.match(text, /: completed, (?!.*not freed)/, 'all memory is freed')
  const lines = (stream: string) =>
    readFileSync(join(directory, `${stream}.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Line)
  return { lines, directory }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

t.test('judge: the reward is the share of completions that answer as the judge does', async t => {
  const { lines } = await run('judge', { questions: 4 })
  const [{ 'rewards/judge': share = Number.NaN, reward } = {} as Line] = lines('metrics')
  t.equal(reward, share)
  const judged = lines('judge')
  t.equal(judged.length, 16)
  t.equal(share, mean(judged.map(line => line.reward ?? Number.NaN)))
  const letter = (text: string) => /<answer> (.)/.exec(text)?.[1]
  const said = new Map(judged.map(line => [line.key, letter(String(line.said))]))
  for (const { key, text, rewards } of lines('samples'))
    t.equal(rewards.judge, Number(letter(text) === said.get(key)), `${key}: ${text}`)
})

t.test('vote: best of 8 is right more often than the mean; a vote keeps one answer of the group', async t => {
  const { lines } = await run('vote', { questions: 6 })
  const means: Line = Object.assign({}, ...lines('metrics'))
  const right = (name: string) => means[`${name}/rewards/accuracy`] ?? Number.NaN
  const anyRight = new Map<string, number>()
  for (const { key, rewards } of lines('samples').filter(line => String(line.name) === 'all'))
    anyRight.set(key, Math.max(anyRight.get(key) ?? 0, rewards.accuracy ?? 0))
  t.equal(right('best'), mean([...anyRight.values()]), 'a question counts if any of its answers is right')
  t.ok(right('best') > right('all'), `${right('best')} > ${right('all')}`)
  const votes = means['vote/rewards/votes'] ?? Number.NaN
  t.ok(votes >= 1 / 8 && votes <= 1, `${votes} of the completions gave the answer`)
  t.equal(lines('samples').filter(line => String(line.name) === 'vote').length, 6)
})

t.test(
  'rejection sampling: as many updates as asked for, each on a right answer of the weights before',
  async t => {
    const { lines } = await run('rejection-sampling')
    const learned = lines('metrics').filter(line => 'loss' in line)
    t.same(
      learned.map(({ step }) => step),
      [1, 2, 3, 4],
    )
    const right = new Set(
      lines('samples')
        .filter(({ rewards }) => rewards.accuracy === 1)
        .map(({ key }) => key),
    )
    t.same(
      learned.map(({ key }) => key.replace('/0', '')),
      [...right].slice(0, 4),
      'the questions that had a right answer, in order',
    )
  },
)

t.test('dpo: the first loss is log 2, and the policy comes to prefer the better answers', async t => {
  const { lines } = await run('dpo')
  const updates = lines('metrics')
  t.equal(updates.length, 4)
  t.ok(Math.abs((updates[0]?.loss ?? 0) - Math.log(2)) < 1e-6)
  t.equal(updates[0]?.['dpo/margin'], 0)
  t.ok((updates.at(-1)?.['dpo/margin'] ?? 0) > 0, `margin ${updates.at(-1)?.['dpo/margin']}`)
  const rewards = lines('samples').map(({ reward = Number.NaN }) => reward)
  for (let i = 0; i < rewards.length; i += 2)
    t.ok((rewards[i] ?? 0) > (rewards[i + 1] ?? 0), 'the preferred answer comes first')
})

t.test(
  'distillation from a teacher that answers nothing right: the run says that nothing was learned',
  async t => {
    const directory = join(folder, 'untaught')
    const settings = { teacher: 'builtin:shapes', steps: 2, maxNewTokens: 4 }
    const { code, text } = await runGraph('examples/distillation.json', directory, settings)
    t.equal(code, 1, text)
    t.match(
      text,
      /must do updates, did none: nothing reached "learn\/update", 2 items were dropped before it\n {4}fix: /,
    )
  },
)

t.test("distillation: the student's loss of the teacher's thoughts falls by a third", async t => {
  const { lines } = await run('distillation', { steps: 13 })
  const losses = lines('metrics').map(({ loss = Number.NaN }) => loss)
  t.ok(losses.length >= 3, `${losses.length} right answers`)
  t.ok((losses.at(-1) ?? 9) < (2 / 3) * (losses[0] ?? 0), losses.join(', '))
})

t.test('dapo: three updates of two varied groups; the dropped ones are counted', async t => {
  const { lines } = await run('dapo-refill')
  const updates = lines('metrics')
  t.same(
    updates.map(({ step, key }) => [step, key.split(' ').length]),
    [
      [1, 2],
      [2, 2],
      [3, 2],
    ],
  )
  for (const { frac_reward_zero_std } of updates) t.equal(frac_reward_zero_std, 0)
  const groups = lines('groups')
  const last = updates.at(-1)?.key.split(' ').at(-1)
  const until = groups.slice(0, groups.findIndex(({ key }) => key === last) + 1)
  const dropped = until.filter(({ kept }) => !kept).length
  t.equal(mean(updates.map(line => line.dropped_groups ?? Number.NaN)) * 3, dropped, `${dropped} dropped`)
})

t.test('evaluated: an evaluation after updates 2 and 4, by the model that is trained', async t => {
  const { lines, directory } = await run('evaluated')
  const evaluated = lines('metrics').filter(line => 'eval/accuracy' in line)
  t.same(
    evaluated.map(({ step }) => step),
    [2, 4],
  )
  t.equal(lines('held-out').length, 8)
  const opened = readFileSync(join(directory, 'log.jsonl'), 'utf8').match(/policy: opened/g)
  t.equal(opened?.length, 1, 'the model is opened once')
})

t.test('two frame settings: each clip is decoded once, and both settings have a score', async t => {
  const { lines, directory } = await run('two-frame-settings', { questions: 4 })
  const means: Line = Object.assign({}, ...lines('metrics'))
  for (const name of ['frames 8', 'frames 2']) {
    const right = means[`${name}/rewards/accuracy`] ?? Number.NaN
    t.ok(right >= 0 && right <= 1, `${name}: ${right}`)
  }
  const { nodes } = JSON.parse(readFileSync(join(directory, 'status.json'), 'utf8')) as {
    nodes: { name: string; items: number }[]
  }
  const items = (name: string) => nodes.find(node => node.name === name)?.items
  t.same([items('many'), items('few')], [4, 4])
})

t.test('pictures: four JPEG files of each clip, and a row that names them', async t => {
  const out = join(folder, 'pictures-out')
  await run('pictures', { out })
  const rows = readFileSync(join(out, 'frames.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { question: string; frames: { path: string; seconds: number }[] })
  t.equal(rows.length, 64)
  const named = new Set(rows.flatMap(({ frames }) => frames.map(({ path }) => path)))
  t.equal(named.size, 4 * 32)
  for (const path of named)
    t.same([...readFileSync(join(out, path)).subarray(0, 3)], [0xff, 0xd8, 0xff], path)
  t.same(
    rows[0]?.frames.map(({ seconds }) => seconds).sort((a, b) => a - b),
    rows[0]?.frames.map(({ seconds }) => seconds),
    'in the order of time',
  )
  t.equal(readdirSync(out).length, 32 + 1)
})

t.test(
  'curriculum: questions are trained on from the highest reward of the first pass to the lowest',
  async t => {
    const { lines } = await run('curriculum')
    const first = new Map<string, number[]>()
    for (const { key, name, reward = Number.NaN } of lines('samples'))
      if (String(name) === 'first') first.set(key, [...(first.get(key) ?? []), reward])
    const updates = lines('metrics').filter(line => 'loss' in line)
    const order = updates.map(({ key }) => mean(first.get(key) ?? [Number.NaN]))
    t.equal(order.length, 4)
    t.same(
      order,
      [...order].sort((a, b) => b - a),
    )
    t.ok((order[0] ?? 0) > (order[3] ?? 0), order.join(', '))
  },
)

t.test('two rewards: the combined one is right + half of what the server says', async t => {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const { completions } = JSON.parse(Buffer.concat(chunks).toString()) as {
        completions: { text: string }[]
      }
      response.end(JSON.stringify({ rewards: completions.map(({ text }) => text.length / 100) }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  // the cast: a server that listens on a port has such an address
  const { port } = server.address() as AddressInfo
  try {
    const { lines } = await run('two-rewards', { url: `http://127.0.0.1:${port}/score` })
    const samples = lines('samples')
    t.equal(samples.length, 8)
    for (const { text, reward = Number.NaN, rewards } of samples) {
      t.equal(rewards.server, text.length / 100)
      t.ok(Math.abs(reward - ((rewards.accuracy ?? 0) + 0.5 * (rewards.server ?? 0))) < 1e-12)
    }
  } finally {
    server.close()
  }
})

t.test('judge-chat: the reward is the first number that the endpoint says about a completion', async t => {
  const keys: (string | undefined)[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    keys.push(request.headers.authorization)
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const { model, messages } = JSON.parse(Buffer.concat(chunks).toString()) as {
        model: string
        messages: { content: string }[]
      }
      t.equal(model, 'mine')
      const answer = /Answer to judge: ([\s\S]*)\nHow right/.exec(messages[0]?.content ?? '')?.[1] ?? ''
      const content = `I give ${answer.length / 100}.`
      response.end(JSON.stringify({ choices: [{ message: { content } }] }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  // the cast: a server that listens on a port has such an address
  const { port } = server.address() as AddressInfo
  try {
    const url = `http://127.0.0.1:${port}/v1`
    const { lines } = await run('judge-chat', { url, judge: 'mine', key: 'secret', questions: 2 })
    const samples = lines('samples')
    t.equal(samples.length, 8)
    for (const { text, reward, rewards } of samples) {
      t.equal(rewards.judge, text.length / 100)
      t.equal(reward, rewards.judge)
    }
    t.same(new Set(keys), new Set(['Bearer secret']))
  } finally {
    server.close()
  }
})
