import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readParquet } from '../../../operators/read/parquet.ts'

/**
 * The table below as pyarrow writes it (`write_table(table, file, compression=CODEC, store_schema=False,
 * write_statistics=False)`), in base64.
 */
const files: Readonly<Record<string, string>> = {
  zstd:
    'UEFSMRUEFSAVMkwVBBUAEgAAKLUv/SAQgQAABwAAAAAAAAABAAAAAAAgABUAFRIVJCwVBBUQFQYVBhwAAAAotS/9IAlJAAAC' +
    'AAAABAEBAwIVBBUWFShMFQQVABIAACi1L/0gC1kAAAEAAABhAgAAAMOpFQAVEhUkLBUEFRAVBhUGHAAAACi1L/0gCUkAAAIA' +
    'AAAEAQEDAhUEFUAVUkwVCBUAEgAAKLUv/SAgAQEABAAAAEEuIHgEAAAAQi4geQQAAABBLiB6BAAAAEIuIHoVABUgFTIsFQgV' +
    'EBUGFQYcAAAAKLUv/SAQgQAAAgAAAAMKAgAAAAgDAgPkABUEGWw1ABgGc2NoZW1hFQYAFQQlAhgCaWQAFQwlAhgEbmFtZSUA' +
    'TBwAAAA1AhgHb3B0aW9ucxUCFQZMPAAAADUEGARsaXN0FQIAFQwlAhgHZWxlbWVudCUATBwAAAAWBBkcGTwmABwVBBk1AAYQ' +
    'GRgCaWQVDBYEFnQWmAEmViYIKSwVBBUAFQIAFQAVEBUCADwpBhkmAAQAAAAmABwVDBk1AAYQGRgEbmFtZRUMFgQWahaOASbk' +
    'ASagASksFQQVABUCABUAFRAVAgA8FgYZBhkmAAQAAAAmABwVDBk1AAYQGTgHb3B0aW9ucwRsaXN0B2VsZW1lbnQVDBYIFqIB' +
    'FsYBJpwDJq4CKSwVBBUAFQIAFQAVEBUCADwWIBkmBAQZRgAAAAgAAAAWgAMWBCYIFuwDACggcGFycXVldC1jcHAtYXJyb3cg' +
    'dmVyc2lvbiAyNS4wLjEZPBwAABwAABwAAABgAQAAUEFSMQ==',
  gzip:
    'UEFSMRUEFSAVOEwVBBUAEgAAH4sIAAAAAAACA2NngABGMKnAAAAcl2xIEAAAABUAFRIVOiwVBBUQFQYVBhwAAAAfiwgAAAAA' +
    'AAIDY2JgYGBhZGRmAgBVpSJBCQAAABUEFRYVPEwVBBUAEgAAH4sIAAAAAAACA2NkYGBIZAISh1cCALcX3YULAAAAFQAVEhU6' +
    'LBUEFRAVBhUGHAAAAB+LCAAAAAAAAgNjYmBgYGFkZGYCAFWlIkEJAAAAFQQVQBVSTBUIFQASAAAfiwgAAAAAAAIDY2FgYHDU' +
    'U6hgAdJOegqVLBB+FZRfBQDdMyJpIAAAABUAFSAVRCwVCBUQFQYVBhwAAAAfiwgAAAAAAAIDY2JgYGDmYgKSHMxMzE8YAPiM' +
    'ccMQAAAAFQQZbDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVDCUCGARuYW1lJQBMHAAAADUCGAdvcHRpb25zFQIVBkw8AAAANQQY' +
    'BGxpc3QVAgAVDCUCGAdlbGVtZW50JQBMHAAAABYEGRwZPCYAHBUEGTUABhAZGAJpZBUEFgQWdBa0ASZcJggpLBUEFQAVAgAV' +
    'ABUQFQIAPCkGGSYABAAAACYAHBUMGTUABhAZGARuYW1lFQQWBBZqFrgBJpQCJrwBKSwVBBUAFQIAFQAVEBUCADwWBhkGGSYA' +
    'BAAAACYAHBUMGTUABhAZOAdvcHRpb25zBGxpc3QHZWxlbWVudBUEFggWogEW2AEm4gMm9AIpLBUEFQAVAgAVABUQFQIAPBYg' +
    'GSYEBBlGAAAACAAAABaAAxYEJggWxAQAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI1LjAuMRk8HAAAHAAAHAAAAGAB' +
    'AABQQVIx',
  brotli:
    'UEFSMRUEFSAVJEwVBBUAEgAAGw8AAKQBAg5A5CKSUFJIc+AGFQAVEhUaLBUEFRAVBhUGHAAAABsIAAAE7nDoEsCA6wIVBBUW' +
    'FR5MFQQVABIAAAsFgAEAAABhAgAAAMOpAxUAFRIVGiwVBBUQFQYVBhwAAAAbCAAABO5w6BLAgOsCFQQVQBVATBUIFQASAAAb' +
    'HwAABJxwgwgCCvxX+oOJnCYBS9tRXg51AiY+7P5sBRUAFSAVJiwVCBUQFQYVBhwAAAAbDwAABDbGJE+0zi5kiUMAp8YDFQQZ' +
    'bDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVDCUCGARuYW1lJQBMHAAAADUCGAdvcHRpb25zFQIVBkw8AAAANQQYBGxpc3QVAgAV' +
    'DCUCGAdlbGVtZW50JQBMHAAAABYEGRwZPCYAHBUEGTUABhAZGAJpZBUIFgQWdBaAASZIJggpLBUEFQAVAgAVABUQFQIAPCkG' +
    'GSYABAAAACYAHBUMGTUABhAZGARuYW1lFQgWBBZqFnomwgEmiAEpLBUEFQAVAgAVABUQFQIAPBYGGQYZJgAEAAAAJgAcFQwZ' +
    'NQAGEBk4B29wdGlvbnMEbGlzdAdlbGVtZW50FQgWCBaiARaoASbeAiaCAiksFQQVABUCABUAFRAVAgA8FiAZJgQEGUYAAAAI' +
    'AAAAFoADFgQmCBaiAwAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjUuMC4xGTwcAAAcAAAcAAAAXwEAAFBBUjE=',
  lz4:
    'UEFSMRUEFSAVHEwVBBUAEgAAIgcAAQCAAQAAAAAAIAAVABUSFRQsFQQVEBUGFQYcAAAAkAIAAAAEAQEDAhUEFRYVGEwVBBUA' +
    'EgAAsAEAAABhAgAAAMOpFQAVEhUULBUEFRAVBhUGHAAAAJACAAAABAEBAwIVBBVAFT5MFQgVABIAAIAEAAAAQS4geAgAQEIu' +
    'IHkIAMBBLiB6BAAAAEIuIHoVABUgFSQsFQgVEBUGFQYcAAAA8AECAAAAAwoCAAAACAMCA+QAFQQZbDUAGAZzY2hlbWEVBgAV' +
    'BCUCGAJpZAAVDCUCGARuYW1lJQBMHAAAADUCGAdvcHRpb25zFQIVBkw8AAAANQQYBGxpc3QVAgAVDCUCGAdlbGVtZW50JQBM' +
    'HAAAABYEGRwZPCYAHBUEGTUABhAZGAJpZBUOFgQWdBZyJkAmCCksFQQVABUCABUAFRAVAgA8KQYZJgAEAAAAJgAcFQwZNQAG' +
    'EBkYBG5hbWUVDhYEFmoWbiauASZ6KSwVBBUAFQIAFQAVEBUCADwWBhkGGSYABAAAACYAHBUMGTUABhAZOAdvcHRpb25zBGxp' +
    'c3QHZWxlbWVudBUOFggWogEWpAEmwgIm6AEpLBUEFQAVAgAVABUQFQIAPBYgGSYEBBlGAAAACAAAABaAAxYEJggWhAMAKCBw' +
    'YXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI1LjAuMRk8HAAAHAAAHAAAAF0BAABQQVIx',
}

for (const [codec, base64] of Object.entries(files))
  t.test(`a Parquet file with ${codec} is read; integers that a number cannot hold are text`, async t => {
    const path = join(t.testdir(), 'a.parquet')
    writeFileSync(path, Buffer.from(base64, 'base64'))
    t.strictSame(await readParquet(path), [
      { id: 7, name: 'a', options: ['A. x', 'B. y'] },
      { id: '9007199254740993', name: 'é', options: ['A. z', 'B. z'] },
    ])
  })

t.test('a file that is not Parquet is an error with its name', async t => {
  const path = join(t.testdir(), 'b.parquet')
  writeFileSync(path, 'text')
  await t.rejects(readParquet(path), {
    code: 'other-form',
    message: /b\.parquet: must be a Parquet file, found text/,
  })
  await t.rejects(readParquet(`${path}x`), { code: 'no-file' })
})

t.test('a file with two damaged columns is an error, and the second one ends no process', async t => {
  const path = join(t.testdir(), 'c.parquet')
  const bytes = Buffer.from(files.zstd ?? '', 'base64')
  const columns = bytes.indexOf('schema')
  bytes.fill(0xff, 4, columns)
  writeFileSync(path, bytes)
  const unheard: unknown[] = []
  const hear = (error: unknown) => void unheard.push(error)
  process.on('unhandledRejection', hear)
  await t.rejects(readParquet(path), { code: 'bad-question', message: /c\.parquet: must be a Parquet file/ })
  await new Promise(resolve => setTimeout(resolve, 20))
  process.off('unhandledRejection', hear)
  t.strictSame(unheard, [])
})
