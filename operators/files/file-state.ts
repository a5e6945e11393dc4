import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'

/** What a look at files tells about their content, without reading it. */
export interface FileState {
  /** Paths, sizes and times: another text when a file has changed. */
  text: string
  /** When the last of them changed. */
  changedMs: number
}

/** Whether a state tells of later changes too: a file changed a moment ago may be changed once more without another time. */
export const isSettled = ({ changedMs }: FileState): boolean => Date.now() - changedMs > 2000

export async function stateOf(paths: readonly string[]): Promise<FileState> {
  const found = await Promise.all(paths.map(path => stat(path, { bigint: true })))
  const states = found.map(({ size, mtimeNs, ctimeNs }, i) =>
    [resolve(paths[i] ?? ''), size, mtimeNs, ctimeNs].join(' '),
  )
  return { text: states.join('\n'), changedMs: Math.max(...found.map(({ ctimeMs }) => Number(ctimeMs))) }
}
