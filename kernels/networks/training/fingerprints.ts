import { compile } from '../../plan/compile.ts'
import { Plan } from '../../plan/plan.ts'
import { checksum } from '../../weights/checksum.ts'
import type { VideoModel } from '../video-model.ts'

/** A checksum of each trained weight by name, of its bits as they are once all work given to the GPU so far is done. */
export async function fingerprints({ device, weights }: VideoModel): Promise<Map<string, number>> {
  const trained = [...weights.byName.values()].filter(({ gradient }) => gradient)
  if (trained.length === 0) return new Map()
  const plan = new Plan(device)
  const sums = plan.pin('checksums', [trained.length], 'u32')
  plan.fill(sums)
  for (const [index, { value }] of trained.entries()) checksum(plan, { x: value, sums, index })
  const compiled = await compile(device, plan, 'fingerprints')
  try {
    compiled.run()
    const found = await compiled.readIntegers(sums)
    return new Map(trained.map(({ name }, i) => [name, found[i] >>> 0]))
  } finally {
    compiled.free()
  }
}
