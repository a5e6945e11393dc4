import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import { checksum } from '../../weights/checksum.ts'
import type { VideoModel } from '../video-model.ts'

/** A checksum of the bits of each trained weight, by name, after all work that was submitted to the GPU so far. */
export async function fingerprints({ device, weights }: VideoModel): Promise<Map<string, number>> {
  const trained = [...weights.byName.values()].filter(({ gradient }) => gradient)
  if (trained.length === 0) return new Map()
  const recording = new Recording(device)
  const sums = recording.pin('checksums', [trained.length], 'u32')
  recording.fill(sums)
  for (const [index, { value }] of trained.entries()) checksum(recording, { x: value, sums, index })
  const compiled = await compile(device, recording, 'fingerprints')
  try {
    compiled.run()
    const values = await compiled.readIntegers(sums)
    return new Map(trained.map(({ name }, i) => [name, values[i] >>> 0]))
  } finally {
    compiled.free()
  }
}
