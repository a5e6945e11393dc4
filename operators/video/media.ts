import { Span } from '../files/span.ts'

/** A video file as ffmpeg opens it: a file, or bytes that lie in other files. */
export interface Media {
  /** What errors are about. */
  path: string
  bytes: Span
  /** The address that ffmpeg opens, and the protocols that it may use for it. A name is never an option or a protocol. */
  address: string
  protocols: string
}

/** A file on disk. */
export async function fileMedia(path: string): Promise<Media> {
  return { path, bytes: await Span.of(path), address: `file:${path}`, protocols: 'file,pipe' }
}

/** Bytes that lie as they are in files; undefined where ffmpeg cannot address them. */
export function spanMedia(path: string, bytes: Span): Media | undefined {
  const addresses = bytes.pieces.map(piece => {
    return `subfile,,start,${piece.start},end,${piece.start + piece.length},,:file:${piece.path}`
  })
  const [only] = addresses
  if (only === undefined) return undefined
  if (addresses.length === 1) return { path, bytes, address: only, protocols: 'file,pipe,subfile' }
  // names of files end at this mark in a list
  if (addresses.some(address => address.includes('|'))) return undefined
  return { path, bytes, address: `concat:${addresses.join('|')}`, protocols: 'file,pipe,subfile,concat' }
}
