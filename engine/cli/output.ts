import { writeSync } from 'node:fs'
import { codeOf, messageOf } from '../shared/errors.ts'
import { visible } from '../shared/visible.ts'
import type { Screen } from './progress.ts'

interface LastingScreen extends Screen {
  /** What kept text from being written although its reader has not left, e.g. a full disk. */
  readonly lost: string | undefined
}

/** What the screen of a stream needs of it. */
type Written = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'isTTY'> & {
  on(event: 'error', listener: (error: Error) => void): unknown
}

/**
 * Where complaints go: standard error, or the descriptor that the command `flow` gives its child for them, since it looks
 * through what else is written to standard error.
 */
export function complaintStream(): Written {
  const [descriptor, parent] = (process.env.FLOW_COMPLAINTS ?? '').split(' of ').map(Number)
  delete process.env.FLOW_COMPLAINTS
  // a process further down has no such descriptor
  if (!descriptor || parent !== process.ppid) return process.stderr
  return {
    columns: 80,
    isTTY: false,
    on: () => undefined,
    write: (text: string | Uint8Array, ...rest: unknown[]) => {
      const done = rest.find(one => typeof one === 'function') as ((error?: Error) => void) | undefined
      let error: Error | undefined
      try {
        writeWhole(descriptor, Buffer.from(text))
      } catch (cause) {
        error = cause as Error
      }
      done?.(error)
      return error === undefined
    },
  }
}

/** Writes all bytes; when a pipe is full, it waits and tries again. */
function writeWhole(descriptor: number, bytes: Uint8Array): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at)
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

/** What a write says when a reader has left. */
const leaving: readonly unknown[] = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']

/**
 * A stream that never ends the program: when its reader leaves (`| head`) or its terminal closes, what follows is dropped
 * and the work goes on.
 */
export function lastingScreen(stream: Written): LastingScreen {
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
