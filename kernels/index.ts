// `flow/kernels`: the parts of which a kernel in a package of its own is built.

export { type Device, openDevice } from './device/device.ts'
export { kernel, type Target, targetKey } from './device/kernel.ts'
export { sizeOf, type Tensor } from './device/tensor.ts'
export { type Pointwise, pointwise } from './elementwise/pointwise.ts'
export { compile } from './plan/compile.ts'
export { Recording } from './plan/recording.ts'
export { spread, vectorise } from './wgsl/packs.ts'
export { group } from './wgsl/workgroup.ts'
