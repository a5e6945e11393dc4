import t from 'tap'
import { unitsOf } from '../../../kernels/device/adapter.ts'

const blocks = { M: 16, N: 16, K: 16, componentType: 'f16', resultComponentType: 'f32' }

/** The properties that are read of an adapter; without `changes` it has usable matrix units. */
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
  ['an adapter with blocks of another shape', { blocks: { K: 8 } }, 'none'],
  ['an adapter whose sums are float16', { blocks: { resultComponentType: 'f16' } }, 'none'],
  ['an adapter without float16', { features: [] }, 'none'],
  ['an adapter with subgroups of 16 lanes', { lanes: 16 }, 'none'],
  ['an adapter with 32 KiB of workgroup memory', { workgroupBytes: 32768 }, 'none'],
] as const)
  t.test(`the matrix units of ${name} are ${units === 'none' ? 'not used' : 'used'}`, async t => {
    t.equal(unitsOf(adapter(changes)), units)
  })
