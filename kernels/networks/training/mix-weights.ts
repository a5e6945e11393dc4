import { pointwise } from '../../elementwise/pointwise.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import type { VideoModel } from '../video-model.ts'

/** Sets each named weight of `into` to share · from + (1 − share) · into, on the GPU. */
export async function mixWeights(
  { device, weights: from }: VideoModel,
  { weights: into }: VideoModel,
  names: readonly string[],
  share: number,
): Promise<void> {
  const recording = new Recording(device)
  for (const name of names) {
    const [source, target] = [from.byName.get(name)?.value, into.byName.get(name)?.value]
    if (source?.type !== 'f32' || target?.type !== 'f32')
      throw new Error(`mixWeights: both models must have ${name} in float32`)
    const body = `target_values[i] = mix(target_values[i], source_values[i], number(${share}));`
    const [reads, writes] = [{ source_values: source }, { target_values: target }]
    pointwise(recording, { name: 'mix', reads, writes, body })
  }
  const compiled = await compile(device, recording, 'mix of weights')
  compiled.run()
  await device.finish()
  compiled.free()
}
