// `flow/testing`: what authors of plugins test operators, kernels and parts of models with; any test runner will do.
export * from '../engine/testing/index.ts'
export { type KernelTestOptions, type KernelTrial, kernelFaultsOf } from '../kernels/testing.ts'
export { type PartsToTest, type PartTestOptions, partFaultsOf } from './model/parts/testing.ts'
