// What ffmpeg writes to standard error: `[object @ address] [level] words`, a line each.

/**
 * The last errors of a log in one line, without its marks and the file's name. When there are none: what others than ffmpeg
 * wrote, e.g. the loader of its libraries or a script in its place, or else its warnings.
 */
export function whatFfmpegSaid(log: string, path: string): string {
  const lines = log.split(/[\r\n]+/).filter(line => !line.includes('-vsync is deprecated'))
  const errors = lines.filter(line => isLevel(line, 'error|fatal|panic'))
  const foreign = lines.filter(line => line.trim() !== '' && !isLevel(line, '\\w+'))
  const warnings = lines.filter(line => isLevel(line, 'warning'))
  const telling = [errors, foreign, warnings].find(some => some.length > 0) ?? []
  // ffmpeg 7 puts what ffmpeg 4 to 6 said after the file's name after words of its own.
  const said = telling
    .map(line =>
      withoutPrefixes(line)
        .replace(`file:${path}: `, '')
        .replace(/^Error opening input( files)?: /, '')
        .replace(/^Format not on whitelist .*/, 'this format may name other files, and flow does not open it')
        .trim(),
    )
    .filter(line => !line.startsWith('Error opening input file '))
  return [...new Set(said)].slice(-2).join('; ').slice(-300) || 'nothing'
}

/** Text without the marks that ffmpeg puts before each line: the object that speaks and the level. */
export const withoutPrefixes = (log: string): string => log.replace(/^(\[[^\]\n]*\] ?)+/gm, '')

/**
 * What a log says about data that is cut or corrupt: the first such line, or undefined. Every error of the demuxer and of
 * the decoder of the video counts, whatever its words.
 */
export function damageIn(log: string, path: string): string | undefined {
  const others = otherSpeakers(log)
  const line = log.split(/[\r\n]+/).find(line => {
    if (harmless.test(line)) return false
    if (corrupt.test(line)) return true
    const speaker = /^\[([\w,.:#/-]+)/.exec(line)?.[1] ?? ''
    return isLevel(line, 'error|fatal|panic') && !others.some(name => speaker.startsWith(name))
  })
  return line && whatFfmpegSaid(line, path)
}

/** Whether a log of a run that failed says that the file is at fault, and nothing of the machine. */
export const isAboutFile = (log: string): boolean => fileFaults.test(log) && !isAboutMachine(log)

/** Whether a log says that something failed that is the machine's, as a rule: memory, permissions, a disk. */
export const isAboutMachine = (log: string): boolean => machineFaults.test(log)

const isLevel = (line: string, levels: string): boolean =>
  new RegExp(`^(\\[[^\\]]*\\] ?)*\\[(${levels})\\]`).test(line)

/** Warnings that say that data is missing. */
const corrupt =
  /\[warning\].*(Packet corrupt|corrupt input packet|corrupt decoded frame|Invalid PNG|chunk too big)/i

/** H.264 decoders say this of streams that were joined or cut at a key frame; the pictures are whole. */
const harmless =
  /mmco: unref short failure|co located POCs unavailable|number of reference frames .* exceeds max/i

/** Objects whose errors say nothing about the video: outputs, filters, and the decoders of other streams. */
function otherSpeakers(log: string): string[] {
  const streams = [...log.matchAll(/Stream #0:\d+.*?: (?:Audio|Subtitle|Data): (\w+)/g)]
  const outputs = [
    'null',
    'framecrc',
    'out#',
    'vost#',
    'aost#',
    'fc#',
    'swscaler',
    'Parsed_',
    'auto_scale',
    'enc:',
  ]
  return [...outputs, ...streams.flatMap(([, codec]) => codec ?? [])]
}

const fileFaults =
  /Invalid data found|moov atom not found|not on whitelist|Invalid argument|End of file|Not yet implemented|patches welcome|Could not find codec parameters|Decoder .* not found/i

const machineFaults =
  /Permission denied|Too many open files|No space left|Cannot allocate memory|Resource temporarily|Stale file handle|Device or resource busy|Operation not permitted|Input\/output error/i
