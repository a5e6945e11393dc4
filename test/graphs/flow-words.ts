import { join } from 'node:path'
import { command } from '../../engine/cli/command.ts'
import { makeEmbedded } from '../../engine/cli/embedded.ts'
import { registry } from '../../engine/cli/registry.ts'
import { repository } from '../fixtures.ts'

/** Runs `flow` with these words in this process; its exit code and what it said. */
export async function flowWords(words: readonly string[]): Promise<{ code: number; text: string }> {
  const said: string[] = []
  const say = (line: string) => {
    said.push(line)
  }
  const code = await command(words, {
    registry,
    environment: process.env,
    screen: { write: () => {} },
    print: say,
    complain: say,
    prepare: plan => makeEmbedded(plan, registry, say),
  })
  return { code, text: said.join('\n') }
}

/** Runs one of flow's graphs in a folder, with params or fields of nodes by their names; the seed is 0. */
export const runGraph = (
  graph: string,
  directory: string,
  params: Readonly<Record<string, string | number>> = {},
): Promise<{ code: number; text: string }> => {
  const set = Object.entries(params).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  return flowWords(['run', join(repository, 'graphs', graph), ...set, '--seed', '0', '--out', directory])
}
