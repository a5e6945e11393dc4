import type { FileHandle } from '../platform/files.ts'

/**
 * Fills `bytes` with those of an open file from `position` on. One read may take less than it is asked for, so it is repeated. Returns
 * how many there were: fewer than asked for where the file ends.
 */
export async function readInto(
  file: Pick<FileHandle, 'read'>,
  bytes: Uint8Array,
  position: number,
): Promise<number> {
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
