import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** Writes a file piece by piece; it appears under its name only when it is whole. */
export async function writeWholeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${path}.partial`
  const handle = await open(partial, 'w')
  try {
    for await (const bytes of pieces) await writeFully(handle, bytes)
  } catch (error) {
    await handle.close()
    await rm(partial, { force: true })
    throw error
  }
  await handle.close()
  await rename(partial, path)
}

/** One write may take less than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten
}
