import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer, rowChunks, type Support } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import { probabilities } from '../../sampling/probabilities.ts'
import { supportOf, wordTokens } from '../../sampling/support.ts'
import type { Sampling } from '../generation/token-drawing.ts'
import { hiddenStates } from '../hidden-states.ts'
import { headWeight } from '../language-weights.ts'
import { pack, type Sequence, visualTokensOf } from '../packing.ts'
import type { VideoModel } from '../video-model.ts'

/** The fields of `Sampling` that decide from which tokens one is drawn. */
export type Drawing = Pick<Sampling, 'temperature' | 'topK' | 'topP' | 'minP'>

/**
 * For each supervised token of the sequences, the tokens that top-k, top-p and min-p leave to be drawn in its place, and the
 * token itself: in a buffer of its own, in the order of `Packing.supervisedTokens`.
 */
export async function drawnSupport(
  model: VideoModel,
  sequences: readonly Sequence[],
  drawing: Drawing,
): Promise<Required<Support>> {
  const { device, shape, weights, maxLength, precision } = model
  const { vocabulary } = shape.language
  const packing = pack(sequences, visualTokensOf(shape), maxLength)
  const { supervisedTokens: supervised } = packing
  const support = device.tensor('support', [supervised.length, Math.ceil(vocabulary / wordTokens)], 'u32')
  const recording = new Recording(device, precision)
  recording.saturated = weights.lossScale?.forwardCuts
  const pass = new Pass(recording, false)
  const { hidden } = hiddenStates(pass, model, { sequences, packed: { packing } })
  const targets = recording.constant(
    'targets',
    [supervised.length],
    Uint32Array.from(supervised, ({ target }) => target),
  )
  for (const { firstRow, rows } of rowChunks(supervised.length, vocabulary)) {
    const chunkRows = supervised.slice(firstRow, firstRow + rows).map(({ row }) => row)
    const logits = logitsLayer(pass, gather(pass, hidden, chunkRows), headWeight(weights, shape.language))
    const out = recording.tensor('probabilities', [rows, vocabulary])
    probabilities(recording, { logits, out, ...drawing, rows, vocabulary })
    supportOf(recording, { probabilities: out, targets, support, firstRow, rows, vocabulary })
  }
  const compiled = await compile(device, recording, 'support')
  compiled.run()
  compiled.free()
  return support
}
