// The package itself, for plugins: the contract of operators, and shorter ways to write a reward and a loss.
export * from '../engine/operator.ts'
export { groupLoss, type OwnLoss, type OwnLossFunction } from './grpo/group-loss.ts'
export { type Asked, reward, type Score } from './reward/reward.ts'
