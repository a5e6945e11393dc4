import { visible } from '../shared/visible.ts'
import type { Screen } from './progress.ts'

/**
 * A stream that never ends the program: when its reader leaves (`| head`) or its terminal closes, what follows is dropped
 * and the work goes on.
 */
export function lastingScreen(stream: NodeJS.WriteStream): Screen {
  let isOpen = true
  stream.on('error', () => {
    isOpen = false
  })
  return {
    get isTTY() {
      return isOpen && stream.isTTY
    },
    get columns() {
      return stream.columns
    },
    write: text => isOpen && stream.write(text),
  }
}

/** Writes lines of text that may come from outside. */
export const lineWriter =
  (screen: Screen) =>
  (line: string): void => {
    screen.write(`${visible(line)}\n`)
  }
