import { command } from '../../engine/cli/command.ts'
import { makeEmbedded } from '../../engine/cli/embedded.ts'
import { registry } from '../../engine/cli/registry.ts'

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
