import { createHash, type Hash } from 'node:crypto'

/** The SHA-256 (or another digest, begun by the caller) of a stream of bytes, as hexadecimal digits. */
export async function digestOfContent(
  content: AsyncIterable<Uint8Array>,
  hash: Hash = createHash('sha256'),
): Promise<string> {
  for await (const chunk of content) hash.update(chunk)
  return hash.digest('hex')
}
