import t from 'tap'
import type { Device } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import type { Recompute } from '../../../../kernels/layers/recompute.ts'
import { generate } from '../../../../kernels/networks/generation/batch-writer.ts'
import { slotWriter } from '../../../../kernels/networks/generation/slot-writer.ts'
import { encodeFrames, forward, framesAtOnce } from '../../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { fixture } from '../../../fixtures.ts'
import { close, noise, onEachFamily } from '../../../kernels/support.ts'

/** Models whose frames have any shape: ids of a prompt about two moments, in two places or in one. */
const models = {
  qwen25vl: (word: number) => [5, -200, 7 + word, 8, 9],
  qwen3vl: (word: number) => [5, -200, 7 + word, -200, 9],
}
/** So far apart that positions in time are more than rows. */
const momentSeconds = 90

const opened = async (device: Device, name: string) =>
  loadModel(device, await openCheckpoint(fixture(`families/${name}`)), ['language'])

await onEachFamily(t, async (device, t) => {
  for (const [name, idsAbout] of Object.entries(models)) {
    const open = () => opened(device, name)
    /** Two clips of different grids and lengths, the second with a moment of one frame, and prompts about them. */
    const clips = async (model: Awaited<ReturnType<typeof open>>, device: Device) => {
      const shapes = [
        [4, 3, 24, 36],
        [3, 3, 48, 12],
      ]
      return Promise.all(
        shapes.map(async (shape, i) => {
          const pixels = device.tensor('pixels', shape, 'f32', noise(sizeOf(shape), i + 1))
          const features = await encodeFrames(model, pixels)
          device.freeTensor(pixels)
          return { ids: idsAbout(i), features, momentSeconds }
        }),
      )
    }

    await t.test(`${name}: clips of different grids share a batch, and see what they see alone`, async t => {
      const model = await open()
      const prompts = await clips(model, device)
      const sequences = prompts.map((prompt, i) => ({
        ...prompt,
        completions: [
          [11, 12 + i, 13],
          [14, 15],
        ],
      }))
      const scoresOf = async (some: typeof sequences) => {
        const pass = await forward(model, some, false)
        pass.free()
        return [...pass.logProbs]
      }
      const apart = [...(await scoresOf(sequences.slice(0, 1))), ...(await scoresOf(sequences.slice(1)))]
      close(t, await scoresOf(sequences), apart, 1e-5)
      const [first, second] = prompts
      t.notSame(
        await scoresOf([{ ...sequences[0], features: second?.features }] as typeof sequences),
        await scoresOf([{ ...sequences[0], features: first?.features }] as typeof sequences),
        'and they do see it',
      )
      for (const { features } of prompts) device.freeTensor(features)
      model.weights.free()
    })

    await t.test(
      `${name}: completions go on after the positions of a clip, in a batch and in slots`,
      async t => {
        const model = await open()
        const prompts = await clips(model, device)
        const requests = prompts.map(prompt => ({ ...prompt, seeds: [1, 2, 3, 4] }))
        const sampling = { greedy: false, temperature: 1, topK: 0, topP: 1 }
        const limits = { maxNewTokens: 6, endIds: [] }
        const batch = await generate(model, requests, sampling, limits)
        const write = slotWriter(model, sampling, { ...limits, slots: 1, count: 4 })
        const slots = await Promise.all(requests.map(write))
        t.same(
          slots.map(({ completions }) => completions.map(({ ids }) => ids)),
          batch,
        )
        // The log-probability of what was drawn is that of a pass over prompt and completion together.
        for (const [i, { completions }] of slots.entries()) {
          const sequence = {
            ...prompts[i],
            ids: prompts[i]?.ids ?? [],
            completions: completions.map(({ ids }) => ids),
          }
          const pass = await forward(model, [sequence], false)
          close(
            t,
            completions.flatMap(({ logProbs = [] }) => logProbs),
            pass.logProbs,
            1e-4,
            `clip ${i}`,
          )
          pass.free()
        }
        for (const { features } of prompts) device.freeTensor(features)
        model.weights.free()
      },
    )
  }
})

await onEachFamily(t, async (device, t) => {
  for (const [name, idsAbout] of Object.entries(models)) {
    await t.test(
      `${name}: activations that are computed again give the same gradients to the bit`,
      async t => {
        const checkpoint = await openCheckpoint(fixture(`families/${name}`))
        const model = await loadModel(device, checkpoint, ['connector', 'language', 'vision'])
        const shape = [4, 3, 24, 36]
        const pixels = device.tensor('pixels', shape, 'f32', noise(sizeOf(shape), 2))
        const sequence = { ids: idsAbout(0), pixels, momentSeconds, completions: [[11, 12, 13], [14]] }
        const trained = async (recompute: Recompute) => {
          for (const { gradients } of model.weights.slabs)
            device.write(gradients, new Float32Array(sizeOf(gradients.shape)))
          const pass = await forward({ ...model, recompute }, [sequence], true)
          pass.backward(noise(pass.logProbs.length, 5))
          pass.free()
          const found = [...model.weights.byName.values()].flatMap(({ gradient }) => gradient ?? [])
          return Promise.all(found.map(async gradient => Buffer.from(await device.readBytes(gradient))))
        }
        const plain = await trained('none')
        t.ok(
          plain.every(bytes => bytes.some(byte => byte !== 0)),
          'everything has a gradient',
        )
        for (const recompute of ['mlp', 'full'] as const) {
          const again = await trained(recompute)
          t.ok(
            again.every((bytes, i) => plain[i]?.equals(bytes)),
            recompute,
          )
        }
        device.freeTensor(pixels)
        model.weights.free()
      },
    )

    await t.test(`${name}: a long clip is encoded in several parts, without dividing a moment`, async t => {
      const model = await opened(device, name)
      const shape = [5, 3, 24, 36]
      const pixels = device.tensor('pixels', shape, 'f32', noise(sizeOf(shape), 3))
      const whole = await encodeFrames(model, pixels)
      // pixels of four frames fill a binding
      const maxBindingBytes = 4 * 3 * 24 * 36 * 4
      t.same(framesAtOnce(maxBindingBytes, model.shape.vision, shape), [
        { start: 0, count: 4 },
        { start: 4, count: 1 },
      ])
      const narrow = new Proxy(device, {
        get(target, name) {
          if (name === 'maxBindingBytes') return maxBindingBytes
          const found: unknown = Reflect.get(target, name, target)
          return typeof found === 'function' ? found.bind(target) : found
        },
      })
      const few = { ...model, device: narrow }
      const parts = await encodeFrames(few, pixels)
      t.same(parts.shape, [3, model.shape.vision.grid?.levels, 2, 3, 96])
      close(t, await device.read(parts), await device.read(whole), 1e-6)
      for (const tensor of [pixels, whole, parts]) device.freeTensor(tensor)
      model.weights.free()
    })
  }
})
