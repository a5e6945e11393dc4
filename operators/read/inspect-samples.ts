import type { SourceItem } from '../../engine/operator.ts'
import { stat } from '../../engine/platform/files.ts'
import { Span } from '../files/span.ts'
import type { Sample } from '../kinds.ts'
import { fileEnd } from '../video/file-end.ts'

/**
 * The lines that `flow check` prints about training data: the number of samples, and the clips that are missing, empty or
 * cut, with the row that names each first. Nothing is decoded.
 */
export async function inspectSamples(
  path: string,
  read: () => Promise<readonly SourceItem<Sample>[]>,
  what: string,
): Promise<string[]> {
  // a run makes built-in data when it is not there yet
  if (path.startsWith('builtin:')) return []
  const samples = await read()
  const rows = new Map<string, string>()
  for (const { key, value } of samples) if (!rows.has(value.video)) rows.set(value.video, key)
  const faults = new Map<string, string[]>()
  for (const [video, row] of rows) {
    const fault = await faultOf(video)
    if (fault === undefined) continue
    const [code, detail] = fault
    faults.set(code, [...(faults.get(code) ?? []), `${video} (row ${row}${detail})`])
  }
  const lines = [...faults].map(([code, clips]) => {
    const more = clips.length > shown ? `, … and ${clips.length - shown} more` : ''
    return `${clips.length} ${code}: ${clips.slice(0, shown).join(', ')}${more}`
  })
  return [`${samples.length} ${what} about ${rows.size} clips`, ...lines]
}

const shown = 5

/** The kind of fault that a clip has, and details for the message. */
async function faultOf(video: string): Promise<[string, string] | undefined> {
  const found = await stat(video).catch(() => undefined)
  if (!found) return ['missing-clip', '']
  if (!found.isFile()) return undefined
  if (found.size === 0) return ['empty-clip', '']
  const end = await fileEnd(await Span.of(video))
  return typeof end === 'object' ? ['cut-clip', `: ${end.fault}`] : undefined
}
