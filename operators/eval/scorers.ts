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

/** Config of operators that read outputs. */
export const scorerFields = {
  scorer: {
    type: 'string',
    enum: [
      'profile',
      'published',
      'strict',
      'tolerant',
      'option',
      'video-mme',
      'mvbench',
      'mlvu',
      'mlvu-test',
      'lvbench',
    ],
    default: 'profile',
    description:
      "How an output is read. profile: as the profile says. published and option draw a letter where they can read none; tolerant reads free text; the others are the benchmarks' own.",
  },
  profile: {
    type: 'string',
    enum: ['published', 'strict', 'base'],
    default: 'strict',
    description: 'Decides the scorer where it is not named: published, strict, or for base `option`.',
  },
} as const

/** The scorer that the config of `eval.score` names. */
export function scorerOf({
  scorer = 'profile',
  profile = 'strict',
}: Readonly<Record<string, unknown>>): ScorerName {
  const name = scorer === 'profile' ? (profile === 'base' ? 'option' : profile) : scorer
  if (typeof name === 'string' && Object.hasOwn(scorers, name)) return name as ScorerName // one of its keys
  throw new Error(`no scorer has the name ${String(name)}`)
}
