// A judge or a scorer at an address where nobody is.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { clock } from '../../../engine/platform/clock.ts'
import { persistently } from '../../../operators/judge/asking.ts'
import judgeChat from '../../../operators/judge/chat.ts'
import judgeHttp from '../../../operators/judge/http.ts'
import { JudgeError } from '../../../operators/judge/judge-error.ts'
import type { Group } from '../../../operators/kinds.ts'
import http from '../../../operators/reward/http.ts'
import rewardChat from '../../../operators/reward/judge-chat.ts'
import { groupOf } from '../group.ts'
import { runGraph } from '../run-graph.ts'

/** An address of this machine at which nothing listens any more. */
async function nowhere(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  // the cast: a server that listens on a port has such an address
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${port}/v1`
}

t.test('a run ends after two requests, and Node warns of no listeners', async t => {
  const warnings: Error[] = []
  const heard = (warning: Error) => warnings.push(warning)
  process.on('warning', heard)
  t.teardown(() => process.off('warning', heard))
  const source = operator({
    summary: 'Gives a group of 24 completions.',
    config: {},
    inputs: {},
    outputs: { groups: 'group' },
    run: (_inputs, _config, context) => ({
      groups: context.source<Group>(async function* () {
        yield { key: '1', value: groupOf(Array.from({ length: 24 }, () => ({ text: 'C' }))) }
      }),
    }),
  })
  const url = await nowhere()
  const nodes = {
    source: { operator: 'source' },
    judged: {
      operator: 'judge',
      config: { url, model: 'none', backoffSeconds: 0.2 },
      from: { groups: 'source.groups' },
    },
    end: { operator: 'collect', from: { items: 'judged.groups' } },
  }
  const run = await runGraph({ nodes }, { source, judge: rewardChat }, { directory: t.testdir() })
  t.equal(run.status, 'failed')
  t.match(run.error?.message, /ECONNREFUSED.*\(2 tries\)/)
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(warnings, [])
})

t.test('patience is for a judge that has answered before', async t => {
  const asks = async (answers: readonly boolean[]) => {
    let asked = 0
    const persist = persistently({ tries: 5, backoffSeconds: 0, concurrency: 1 }, clock.endOfMany().signal)
    const attempt = async () => {
      if (answers[asked++]) return 'yes'
      throw new JudgeError('unanswered', 'nobody', { isNobody: true })
    }
    for (const answer of answers.filter(Boolean)) t.ok(answer && (await persist(attempt)))
    await t.rejects(persist(attempt), { code: 'unanswered' })
    return asked
  }
  t.equal(await asks([]), 2)
  t.equal(await asks([true]), 6, 'one answer and five tries')
})

t.test(
  'flow check says that nothing answers, as a warning and without what the address may hide',
  async t => {
    const url = `${await nowhere()}?key=sk-secret`
    const looks = {
      'reward.http': (url: string, isBrief: boolean) =>
        http.inspect?.({ url } as never, { isBrief } as never),
      'judge.http': (url: string, isBrief: boolean) =>
        judgeHttp.inspect?.({ url } as never, { isBrief } as never),
      'judge.chat': (url: string, isBrief: boolean) =>
        judgeChat.inspect?.({ url, model: 'm' } as never, { isBrief } as never),
      'reward.judge-chat': (url: string, isBrief: boolean) =>
        rewardChat.inspect?.({ url, model: 'm' } as never, { isBrief } as never),
    }
    const methods: (string | undefined)[] = []
    const server = createServer((request, response) => {
      methods.push(request.method)
      response.writeHead(405).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    for (const [name, look] of Object.entries(looks)) {
      const said = await look(url, false)
      t.match(
        said,
        [
          {
            code: 'no-answer',
            isWarning: true,
            lines: [/^nothing answers at 127\.0\.0\.1:\d+: ECONNREFUSED$/],
          },
        ],
        name,
      )
      t.notMatch(JSON.stringify(said), 'sk-secret')
      t.strictSame(await look(url, true), [], `${name}: a run says it itself`)
      t.strictSame(await look(`http://127.0.0.1:${port}/v1`, false), [], `${name}: any status is an answer`)
      t.match(await look('localhost:8000', false), [{ code: 'bad-address' }], name)
    }
    t.strictSame(methods, ['HEAD', 'HEAD', 'HEAD', 'HEAD'], 'nothing is posted')
    t.strictSame(
      await judgeChat.inspect?.({ url: '', model: 'm' } as never, {} as never),
      [],
      'OpenAI is not asked',
    )
  },
)
