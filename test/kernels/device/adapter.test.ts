import t from 'tap'
import { unitsOf } from '../../../kernels/device/adapter.ts'

const blocks = { M: 16, N: 16, K: 16, componentType: 'f16', resultComponentType: 'f32' }

/** What is asked of an adapter, of one that fits but for `changes`. */
function adapter(changes: {
  blocks?: object
  features?: readonly string[]
  lanes?: number
  workgroupBytes?: number
}) {
  const { lanes = 32, workgroupBytes = 49152, features = ['shader-f16'] } = changes
  return {
    info: { subgroupMinSize: lanes, subgroupMatrixConfigs: [{ ...blocks, ...changes.blocks }] },
    features: new Set(features),
    limits: { maxComputeWorkgroupStorageSize: workgroupBytes },
  } as object as GPUAdapter // only these are read
}

for (const [name, changes, units] of [
  ['an adapter with blocks of 16 × 16 × 16 and 48 KiB of workgroup memory', {}, 'native'],
  ['blocks of another shape', { blocks: { K: 8 } }, 'none'],
  ['float16 sums', { blocks: { resultComponentType: 'f16' } }, 'none'],
  ['no float16', { features: [] }, 'none'],
  ['subgroups of 16 lanes', { lanes: 16 }, 'none'],
  ['32 KiB of workgroup memory', { workgroupBytes: 32768 }, 'none'],
] as const)
  t.test(`${name}: ${units}`, async t => {
    t.equal(unitsOf(adapter(changes)), units)
  })
