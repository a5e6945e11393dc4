import type { Context, Share } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import type { Group } from '../kinds.ts'
import { isLater, loadFeatures } from '../model/later-features.ts'

/** Groups whose features are read while the work on those before them goes on. */
const ahead = 2

/** The groups of a share in order, each with its features in the memory of the GPU. */
export async function* withFeatures(
  groups: Share<Group>,
  { log }: Pick<Context, 'log'>,
): AsyncGenerator<Group> {
  const begun: { group: Group; loaded: Promise<void> }[] = []
  const read = { groups: 0, bytes: 0, waited: 0 }
  const begin = (group: Group) => {
    if (isLater(group.prompt)) {
      read.groups++
      read.bytes += bytesOf(group.prompt.features)
    }
    const loaded = loadFeatures(group.prompt)
    loaded.catch(() => {}) // who takes the group is told
    begun.push({ group, loaded })
  }
  async function* taken(left: number) {
    for (let next = begun[0]; next && begun.length > left; next = begun[0]) {
      const started = performance.now()
      await next.loaded
      read.waited += performance.now() - started
      begun.shift()
      yield next.group
    }
  }
  try {
    for await (const group of groups) {
      begin(group)
      yield* taken(ahead)
    }
    yield* taken(0)
    const waited = (read.waited / 1000).toFixed(3)
    if (read.groups > 0)
      log(`features in files: ${read.groups} read, ${read.bytes} bytes; waited ${waited} s for them`, 'debug')
  } finally {
    // the device must not go while something is read into its memory
    await Promise.allSettled(begun.map(({ loaded }) => loaded))
  }
}
