// The package `flow`, for plugins: the contract of operators, and a shorter way to write a reward.
export * from '../engine/operator.ts'
export { type Asked, reward, type Score } from './reward/reward.ts'
