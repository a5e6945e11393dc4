// `flow/testing`: what authors of plugins test operators and kernels with; any test runner will do.
export * from '../engine/testing/index.ts'
export { type KernelTestOptions, type KernelTrial, kernelFaultsOf } from '../kernels/testing.ts'
