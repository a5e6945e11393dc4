import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../../../fixtures.ts'
import type { Fault } from './fault.ts'

const own = (nodes: object) => JSON.stringify({ version: 1, summary: 'Copies.', nodes })
const copied = (config: object, from = 'rows.items') => ({
  operator: 'write.jsonl',
  config,
  from: { items: from },
})
const reading = { operator: 'read.jsonl', config: { path: 'rows.jsonl' } }

/** A graph of its own, its rows beside it; paths in it start from the working directory, so they are set. */
const ownFault = (
  name: string,
  nodes: object,
  set: (folder: string) => readonly string[] = () => [],
): Fault => ({
  name,
  graph: 'g.json',
  spoil: folder => {
    writeFileSync(join(folder, 'g.json'), own(nodes))
    writeFileSync(join(folder, 'rows.jsonl'), '{"title": "A cat"}\n')
  },
  set: folder => [`nodes.rows.config.path=${join(folder, 'rows.jsonl')}`, ...set(folder)],
})

/** GRPO with a reward of one's own. */
const scorerFault = (name: string, operator: string, config: object): Fault => ({
  name,
  graph: 'g.json',
  spoil: folder =>
    writeFileSync(
      join(folder, 'g.json'),
      JSON.stringify({
        extends: join(repository, 'graphs/grpo.json'),
        summary: 'GRPO with a scorer.',
        nodes: {
          scored: { operator, config, from: { groups: 'rewards.groups' } },
          advantages: { from: { groups: 'scored.groups' } },
        },
      }),
    ),
})

/** Faults of graphs that people write themselves. */
export const otherFaults: readonly Fault[] = [
  ownFault(
    'an expression that does not end',
    {
      rows: reading,
      made: {
        operator: 'stream.map',
        config: { fields: { question: '$uppercase(title' } },
        from: { items: 'rows.items' },
      },
      file: copied({ path: 'copy.jsonl' }, 'made.items'),
    },
    folder => [`nodes.file.config.path=${join(folder, 'copy.jsonl')}`],
  ),
  ownFault('a file to write that is a folder', { rows: reading, file: copied({ path: 'x' }) }, folder => [
    `nodes.file.config.path=${join(folder, 'clips')}`,
  ]),
  scorerFault('a scorer that is not there', 'reward.command', { command: ['python-of-mine', 'score.py'] }),
  scorerFault('a scorer without an address', 'reward.http', { url: 'localhost:8000/score' }),
]
