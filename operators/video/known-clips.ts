import { isSettled, stateOf } from '../files/file-state.ts'
import type { Media } from './media.ts'
import { type ProbeOptions, probeVideo, type VideoFacts } from './probe.ts'

/** Facts of clips that this process has opened, by the state of their files, so that another pass does not decode each to its end. */
const known = new Map<string, VideoFacts>()
const mostKnown = 10_000

/** What is known of a clip before a frame is read; it is found out again when a file of it has changed. */
export async function factsOf(media: Media, options: ProbeOptions): Promise<VideoFacts> {
  const state = await stateOf(media.bytes.pieces.map(({ path }) => path))
  const key = `${media.address}\n${state.text}`
  const found = known.get(key)
  if (found) return found
  const facts = await probeVideo(media, options)
  // a table of frames is large, and quick to read
  if (facts.seek || !isSettled(state)) return facts
  const [oldest] = known.size < mostKnown ? [] : known.keys()
  if (oldest !== undefined) known.delete(oldest)
  known.set(key, facts)
  return facts
}
