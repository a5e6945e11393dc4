import type { Team } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { CodedError } from '../../engine/shared/errors.ts'
import { storageOf } from '../../kernels/device/storage-of.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { sizeOf } from '../../kernels/device/tensor.ts'
import { fingerprints } from '../../kernels/networks/training/fingerprints.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'

/** Pieces of gradients that are read from the GPU at the same time. */
const piecesInFlight = 4

/**
 * Replaces the gradients of the trained weights by their sums over all processes of a team, and the counts of values that
 * were clamped to float16's range by theirs: then every process does the same update.
 */
export async function sumGradients({ device, weights }: VideoModel, team: Team): Promise<void> {
  if (team.size === 1) return
  const all = weights.slabs.flatMap(({ gradients }) => pieces(gradients, team.mostSummed))
  const reading: Promise<Float32Array<ArrayBuffer>>[] = []
  try {
    for (const [i, piece] of all.entries()) {
      // the next pieces come from the GPU while this one is added up
      for (const next of all.slice(i + reading.length, i + piecesInFlight)) {
        const values = device.read(next)
        values.catch(() => {}) // it is told when its turn comes
        reading.push(values)
      }
      device.write(piece, await team.sum(await at(reading, 0)))
      reading.shift()
    }
  } finally {
    await Promise.allSettled(reading)
  }
  const { lossScale } = weights
  if (!lossScale) return
  for (const counter of [lossScale.forwardCuts, lossScale.backwardCuts]) {
    const counts = await team.gather((await device.readIntegers(counter))[0] ?? 0)
    device.write(counter, Int32Array.of(counts.reduce((sum, count) => sum + count, 0)))
  }
}

/** A flat tensor of float32 in pieces of at most `most` numbers, in order. */
function pieces(flat: Tensor, most: number): Tensor[] {
  const size = sizeOf(flat.shape)
  const { buffer, offsetBytes } = storageOf(flat)
  return Array.from({ length: Math.ceil(size / most) }, (_, i): Tensor => {
    const start = i * most
    return {
      ...flat,
      shape: [Math.min(most, size - start)],
      storage: { buffer, offsetBytes: offsetBytes + start * 4 },
    }
  })
}

/** Refuses to go on when the trained weights are not the same, bit for bit, in all processes of a team. */
export async function refuseOtherWeights(model: VideoModel, team: Team): Promise<void> {
  if (team.size === 1) return
  const sums = [...(await fingerprints(model)).values()]
  const [first = [], ...others] = await team.gather(sums)
  const other = others.findIndex(sums => sums.some((sum, i) => sum !== first[i]))
  if (other < 0) return
  const message = `learner ${other + 2} of ${team.size}: its weights must be those of the first learner after each update, found others`
  const remedy =
    'all learners need the same kind of GPU and driver; go on from the last checkpoint with --resume'
  throw new CodedError('other-weights', message, { remedy, ofMachine: true })
}
