import { command } from '../../../engine/cli/command.ts'
import { registry } from '../../../engine/cli/registry.ts'

/** What a command printed for people, its complaints, and its exit code; nothing is downloaded or made. */
export async function told(...words: string[]): Promise<{ code: number; text: string; complaints: string }> {
  let text = ''
  let complaints = ''
  const say = (line: string) => {
    text += `${line}\n`
  }
  const complain = (line: string) => {
    complaints += `${line}\n`
    say(line)
  }
  const world = {
    registry,
    // no tool of a driver is found, so that the memory of the machine counts
    environment: { PATH: '' },
    screen: { write: () => {} },
    print: say,
    complain,
    prepare: async () => {},
  }
  return { code: await command(words, world), text, complaints }
}

/**
 * The text with folders of this machine, which differ from run to run, by names; places in the graphs of flow, which move
 * whenever a line is added above them, without numbers.
 */
export const withNames = (text: string, folders: Readonly<Record<string, string>>): string =>
  Object.entries(folders)
    .reduce((all, [name, folder]) => all.replaceAll(folder, name), text)
    .replaceAll(/((?:FLOW\/graphs\/|flow:)[\w./-]+\.json):\d+:\d+/g, '$1:LINE:COLUMN')
