import { type FileHandle, open } from '../../../engine/platform/files.ts'
import { replaceFileBy } from '../../../engine/shared/replace-file.ts'

/** Writes a file piece by piece; it appears under its name only when it is whole. */
export async function writeWholeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  await replaceFileBy(path, async partial => {
    const handle = await open(partial, 'w')
    try {
      for await (const bytes of pieces) await writeFully(handle, bytes)
    } finally {
      await handle.close()
    }
  })
}

/** One write may take less than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten
}
