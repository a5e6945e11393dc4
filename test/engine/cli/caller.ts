import { command } from '../../../engine/cli/command.ts'
import type { Registry } from '../../../engine/graph/plan.ts'
import { testBed } from '../support.ts'

/** Runs `flow` with these words, the test bed's operators and further ones: its exit code and all that it said. */
export const callerWith =
  (extra: Partial<Registry> = {}) =>
  async (...words: string[]): Promise<{ code: number; text: string }> => {
    let text = ''
    const say = (line: string) => {
      text += `${line}\n`
    }
    const { registry } = testBed(extra)
    const world = { registry, environment: {}, screen: { write: () => {} }, print: say, complain: say }
    const code = await command(words, { ...world, prepare: async () => {} })
    return { code, text }
  }
