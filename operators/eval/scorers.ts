import { baseOption } from './base-option.ts'
import { lvbench, mlvu, mlvuTest, mvbench, videoMme } from './official-scorers.ts'
import { type ParsedAnswer, parseAnswer } from './parse-answer.ts'
import { strictChoice } from './strict-choice.ts'
import { tolerantChoice } from './tolerant-choice.ts'

/** What a scorer may look at. */
export interface Choices {
  letters: readonly string[]
  options: readonly string[]
}

/** Reads the chosen option from an output, in time linear in its length. */
export type Scorer = (output: string, choices: Choices) => ParsedAnswer

/**
 * Ways to read an output. `published`: the four released scripts. `option`: the base system's, and its
 * LongVideoBench. `strict`: an answer that says nothing but one option, in tags or bare. `tolerant`: what a careful reader
 * takes from a model that writes freely. The others are the benchmarks' own; where those count silence as right, it is
 * unparsed here.
 */
export const scorers = {
  published: (output, { letters }) => parseAnswer(output, letters),
  strict: strictChoice,
  tolerant: tolerantChoice,
  option: baseOption,
  'video-mme': (output, { letters }) => videoMme(output, letters),
  mvbench: (output, { letters }) => mvbench(output, letters),
  mlvu: (output, { letters }) => mlvu(output, letters),
  'mlvu-test': (output, { letters }) => mlvuTest(output, letters),
  lvbench: (output, { letters }) => lvbench(output, letters),
} as const satisfies Record<string, Scorer>

export type ScorerName = keyof typeof scorers
