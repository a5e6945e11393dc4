import { execFile } from 'node:child_process'
import { VideoError } from './video-error.ts'

export interface Ffmpeg {
  path: string
  /** Major version of libavcodec: 58 in ffmpeg 4, 59 in 5, 60 in 6, … whatever the build calls itself. */
  codecVersion: number
}

const cached = new Map<string, Promise<Ffmpeg>>()

/** The ffmpeg that FFMPEG_BIN names, else that of the package ffmpeg-static, else the one on PATH. */
export function findFfmpeg(): Promise<Ffmpeg> {
  const key = `${process.env.FFMPEG_BIN} ${process.env.PATH}`
  let found = cached.get(key)
  if (!found) {
    found = search(process.env.FFMPEG_BIN)
    cached.set(key, found)
    found.catch(() => cached.delete(key))
  }
  return found
}

/** Flags that keep every decoded frame, once: the option was renamed in ffmpeg 5.1. */
export async function passthrough(): Promise<string[]> {
  const { codecVersion } = await findFfmpeg()
  return [codecVersion >= 60 ? '-fps_mode' : '-vsync', 'passthrough']
}

/**
 * A filter that names each decoded frame on a pipe of its own: a sign that ffmpeg makes progress, and nothing else. Before
 * ffmpeg 5 the filter may not know how to write at once (`direct`, new in 4.4): the signs then come in larger pieces.
 */
export async function progressFilter(): Promise<string> {
  const { codecVersion } = await findFfmpeg()
  const direct = codecVersion >= 59 ? ':direct=1' : ''
  return `metadata=mode=add:key=f:value=1,metadata=mode=print:file='pipe\\:3'${direct}`
}

async function search(named: string | undefined): Promise<Ffmpeg> {
  const candidates = named ? [named] : [await bundledPath(), 'ffmpeg']
  for (const path of candidates) {
    const codecVersion = path === undefined ? undefined : await codecVersionOf(path)
    if (path !== undefined && codecVersion !== undefined) return { path, codecVersion }
  }
  throw new VideoError(
    'no-ffmpeg',
    named
      ? `FFMPEG_BIN names ${named}, which does not run as ffmpeg; unset it or name a working binary`
      : 'no ffmpeg: looked for FFMPEG_BIN (not set), the npm package ffmpeg-static, and ffmpeg on PATH; any one of them will do',
  )
}

async function bundledPath(): Promise<string | undefined> {
  const name = 'ffmpeg-static' // an optional dependency: absent where its download failed
  const bundled: unknown = await import(name).then(
    module => module.default,
    () => undefined,
  )
  return typeof bundled === 'string' ? bundled : undefined
}

const secondsForVersion = 60

function codecVersionOf(path: string): Promise<number | undefined> {
  const limits = { timeout: secondsForVersion * 1000, killSignal: 'SIGKILL' } as const
  return new Promise(resolve => {
    execFile(path, ['-version'], limits, (_, stdout) => {
      const version = /^libavcodec\s+(\d+)\./m.exec(stdout)?.[1]
      resolve(version === undefined ? undefined : Number(version))
    })
  })
}
