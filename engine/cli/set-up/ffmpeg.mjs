// ffmpeg: the one that FFMPEG_BIN names, ffmpeg-static's, the one on PATH; else download it, else Debian's.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, failure, mayInstall, refusal, SetUpError } from './machine.mjs'

export async function ffmpeg(machine) {
  const named = machine.env.FFMPEG_BIN
  if (named) {
    const result = await answer(machine, named)
    if (result.status === 0) return
    throw failure(`FFMPEG_BIN: ${named} does not run`, result)
  }
  const folder = join(machine.root, 'node_modules/ffmpeg-static')
  const bundled = join(folder, machine.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg')
  if (machine.exists(bundled) && (await works(machine, bundled))) return
  if (await works(machine, 'ffmpeg')) return
  if (mayInstall(machine)) {
    machine.say('installing ffmpeg (apt-get install ffmpeg)')
    await aptInstall(machine, ['ffmpeg'])
    if (await works(machine, 'ffmpeg')) return
    throw new SetUpError('ffmpeg was installed, but does not run')
  }
  if (machine.exists(join(folder, 'install.js')) && (await download(machine, folder, bundled))) return
  const commands = machine.release.apt
    ? ['apt-get install -y ffmpeg']
    : ['install ffmpeg 4.4 or newer with your system’s package manager, or set FFMPEG_BIN to its path']
  return { what: 'ffmpeg', why: refusal(machine), commands }
}

/** The line that says which ffmpeg is used: its path, and what it says of its version. */
export async function ffmpegFound(machine) {
  const named = machine.env.FFMPEG_BIN
  const bundled = join(machine.root, 'node_modules/ffmpeg-static/ffmpeg')
  const binary = named ?? (machine.exists(bundled) ? bundled : 'ffmpeg')
  const { output } = await answer(machine, binary)
  const place = binary === 'ffmpeg' ? 'of the PATH' : binary
  return `ffmpeg: ${/^ffmpeg version (\S+)/m.exec(output)?.[1] ?? 'unknown version'}, ${place}`
}

async function download(machine, folder, bundled) {
  machine.say('downloading ffmpeg (ffmpeg-static, into node_modules)')
  rmSync(bundled, { force: true })
  const result = await machine.run(process.execPath, ['install.js'], { cwd: folder, deadlineSeconds: 90 })
  if (result.status === 0 && (await works(machine, bundled))) return true
  // A half download would look installed to the next run.
  rmSync(bundled, { force: true })
  machine.say('the download failed')
  return false
}

const answer = (machine, binary) => machine.run(binary, ['-hide_banner', '-version'], { deadlineSeconds: 20 })

const works = async (machine, binary) => (await answer(machine, binary)).status === 0
