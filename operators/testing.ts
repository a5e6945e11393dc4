// `flow/testing`: what authors of plugins test operators, losses, kernels and parts of models with; any test runner will do.
export * from '../engine/testing/index.ts'
export { finiteDifferences } from '../kernels/finite-differences.ts'
export { type KernelTestOptions, kernelFaultsOf } from '../kernels/testing.ts'
export type { KernelTrial, TrialTensor } from '../kernels/trial.ts'
export { lossFaultsOf, lossTrials } from './grpo/loss-testing.ts'
export { type PartsToTest, type PartTestOptions, partFaultsOf } from './model/parts/testing.ts'
export { tinyModel } from './model/tiny-model.ts'
