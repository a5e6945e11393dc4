import { codeOf, messageOf } from '../shared/errors.ts'
import { visible } from '../shared/visible.ts'
import type { Screen } from './progress.ts'

interface LastingScreen extends Screen {
  /** What kept text from being written although its reader has not left, e.g. a full disk. */
  readonly lost: string | undefined
}

/** What a write says when a reader has left. */
const leaving: readonly unknown[] = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']

/**
 * A stream that never ends the program: when its reader leaves (`| head`) or its terminal closes, what follows is dropped
 * and the work goes on.
 */
export function lastingScreen(stream: NodeJS.WriteStream): LastingScreen {
  let isOpen = true
  let lost: string | undefined
  const note = (error?: Error | null) => {
    if (!error) return
    isOpen = false
    const code = codeOf(error)
    const hasLeft = leaving.includes(code) || (code === 'EIO' && stream.isTTY) // of a terminal that has closed
    if (!hasLeft) lost ??= messageOf(error)
  }
  stream.on('error', note)
  return {
    get lost() {
      return lost
    },
    get isTTY() {
      return isOpen && stream.isTTY
    },
    get columns() {
      return stream.columns
    },
    // a file that cannot be written tells it here first
    write: text => isOpen && stream.write(text, note),
  }
}

/** Writes lines of text that may come from outside. */
export const lineWriter =
  (screen: Screen) =>
  (line: string): void => {
    screen.write(`${visible(line)}\n`)
  }
