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
  let why = ''
  for (const path of candidates) {
    const found = path === undefined ? undefined : await versionOf(path)
    if (path !== undefined && found?.codecVersion !== undefined)
      return { path, codecVersion: found.codecVersion }
    why = found?.why ?? why
  }
  const [message, remedy] = named
    ? [
        `FFMPEG_BIN: must be the path of an ffmpeg that runs, found "${named}": ${why}`,
        'set FFMPEG_BIN to the path of an ffmpeg, or unset it to use the one on PATH',
      ]
    : [
        'ffmpeg: must be there to read and write clips, found none: FFMPEG_BIN is not set, the npm package ffmpeg-static is not installed, and none runs on PATH',
        'install ffmpeg ("npx flow set-up" does so), or set FFMPEG_BIN to its path',
      ]
  // no clip is at fault
  throw new VideoError('no-ffmpeg', message, { remedy, ofMachine: true })
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

/** The version of an ffmpeg, or why it states none. */
function versionOf(path: string): Promise<{ codecVersion?: number; why?: string }> {
  const limits = { timeout: secondsForVersion * 1000, killSignal: 'SIGKILL' } as const
  return new Promise(resolve => {
    execFile(path, ['-version'], limits, (error, stdout) => {
      const version = /^libavcodec\s+(\d+)\./m.exec(stdout)?.[1]
      resolve(version === undefined ? { why: whyNone(error) } : { codecVersion: Number(version) })
    })
  })
}

function whyNone(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'nothing is there'
  if (code === 'EACCES') return 'it is not a file that may be executed'
  return 'it does not answer -version as ffmpeg does'
}
