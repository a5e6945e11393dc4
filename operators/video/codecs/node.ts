import { openClip } from '../open-clip.ts'
import { writeJpeg } from '../pictures.ts'
import type { Codecs } from './codecs.ts'

/** Processes of ffmpeg. */
export const codecs: Codecs = { openClip, writeJpeg }
