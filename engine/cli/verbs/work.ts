import { onlyWord, UsageError } from '../arguments.ts'
import { natsAddress } from '../over-run.ts'
import { pluginFlag } from '../plug.ts'
import { gpuFlag, type Verb } from '../verb.ts'

export const work: Verb = {
  summary: 'Works on a part of a graph that `flow run --over` gives to other processes.',
  usage: 'ADDRESS',
  flags: {
    part: { value: 'NAME', description: 'The part, when the graph has several.' },
    plugin: {
      ...pluginFlag,
      description: 'A module that the graph may use here; no other code comes from the server.',
    },
    name: {
      value: 'NAME',
      description: 'Its name among the workers of a run (default: made of host and process).',
    },
    ...gpuFlag,
    out: { value: 'DIR', description: 'Folder for its logs (default runs/work-<host>-<process>).' },
  },
  example: [
    'nats-server -js -a 127.0.0.1 -p 4333 -sd runs/nats &',
    'npx flow run flow:grpo.json --set steps=2 --set group=4 \\',
    '  --over nats://127.0.0.1:4333 > log &',
    'npx flow work nats://127.0.0.1:4333',
  ].join('\n'),
  run: async (words, world) => {
    const address = natsAddress(onlyWord(words, 'address of a NATS server'))
    const { workAt } = await import('../work-session.ts')
    const out = words.last('out')
    if (out === '') throw new UsageError('--out: must be a folder')
    return workAt(
      { address, part: words.last('part'), name: words.last('name'), out, plugins: words.all('plugin') },
      world,
    )
  },
}
