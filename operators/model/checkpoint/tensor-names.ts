import type { Shape } from '../parts/part.ts'
import type { ModelConfig } from './model-config.ts'

const partsOf = ({ vision, connector, language }: ModelConfig) => [vision, connector, language]

/** Names and shapes of the tensors that the model computes with; linear weights are (out, in). */
export const expectedTensors = (config: ModelConfig): Map<string, Shape> =>
  new Map(partsOf(config).flatMap(({ tensors }) => [...tensors]))

/** The same and the unused tensors of released checkpoints, such as blocks of the vision tower past the feature layer. */
export const storedTensors = (config: ModelConfig): Map<string, Shape> =>
  new Map(partsOf(config).flatMap(({ stored }) => [...stored]))

/**
 * True for tensors that released checkpoints may store and the model does not compute with: the vision tower's pooling head
 * and blocks past the feature layer, the duplicate of a tied head, and constants that old library versions saved.
 */
export const isUnusedTensor = (name: string, config: ModelConfig): boolean =>
  partsOf(config).some(part => part.isUnused(name))
