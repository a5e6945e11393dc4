import t from 'tap'
import type { Group } from '../../../operators/kinds.ts'
import judgeChat from '../../../operators/reward/judge-chat.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'
import { chatServer, say } from '../judge/server.ts'

t.test(
  'a judge is asked about as many answers at once as `concurrency` says, whatever the size of groups',
  async t => {
    let open = 0
    let most = 0
    let threeCame = () => {}
    const three = new Promise<void>(resolve => {
      threeCame = resolve
    })
    const { url, asked } = await chatServer(t, async ({ user }, response) => {
      most = Math.max(most, ++open)
      // three must come; a fourth would come in this time
      if (open === 3) setTimeout(threeCame, 100)
      await three
      open--
      say(response, /judge: (\d)/.exec(user)?.[1])
    })
    const groups = [0, 4].map(first => groupOf([0, 1, 2, 3].map(i => ({ text: `${first + i}` }))))
    const config = { url, model: 'm', key: '', request: {}, name: 'judge', weight: 1, concurrency: 3 }
    const asking = { ask: 'judge: {completion}', tries: 1, backoffSeconds: 0, deadlineSeconds: 20 }
    const input = { port: 'groups', values: groups, key: 'q' }
    const scored = (await runOver(judgeChat, { ...config, ...asking }, input, 'groups')) as Group[]
    t.same(
      scored.map(({ completions }) => completions.map(({ rewards }) => rewards?.judge)),
      [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ],
    )
    t.equal(asked.length, 8)
    t.equal(most, 3)
  },
)
