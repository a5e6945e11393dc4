// The package itself, for plugins: the contract of operators, shorter ways to write a reward and a loss, the run's GPU, and
// the parts that make prompts and read answers.
export * from '../engine/operator.ts'
export { sharedDevice as deviceOf } from './device.ts'
export { groupLoss, type OwnLoss, type OwnLossFunction, type OwnLossRows } from './grpo/group-loss.ts'
export type * from './kinds.ts'
export { loadFeatures } from './model/later-features.ts'
export { type Asked, reward, type Score } from './reward/reward.ts'
export { answerBetweenTags } from './text/answer-tags.ts'
export { promptOf, questionText, wordingFields } from './text/prompt.ts'
export { renderConversation, renderPrompt, templateField, templates } from './text/template.ts'
