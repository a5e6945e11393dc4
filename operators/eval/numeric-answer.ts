import { answerBetweenTags } from '../text/answer-tags.ts'
import { strip } from '../text/python.ts'

/** The number that an output begins with, in the answer tags if it has any; `anywhere`: else the first in it. */
export function numberIn(output: string, { anywhere }: { anywhere: boolean }): number | undefined {
  const words = strip(answerBetweenTags(output, { edges: true }) ?? output)
  const [first = ''] = words.split(/\s/, 1)
  const number = Number(
    first
      .slice(0, 40)
      .replace(/[.,]+$/, '')
      .replace(/(?<=\d),(?=\d{3})/g, ''),
  )
  if (first !== '' && Number.isFinite(number)) return number
  const found = anywhere ? /-?\d+(?:\.\d+)?/.exec(words)?.[0] : undefined
  return found === undefined ? undefined : Number(found)
}

const thresholds = 10

/**
 * Mean relative accuracy (VSI-Bench, arXiv 2412.14171, equation 1): the share of ten thresholds from 0.5 to 0.95 of
 * which the relative error is at most the rest to 1.
 */
export function meanRelativeAccuracy(number: number, truth: number): number {
  const error = Math.abs(number - truth) / truth
  const step = (0.95 - 0.5) / (thresholds - 1)
  let passed = 0
  for (let i = 0; i < thresholds; i++)
    if (error <= 1 - (i === thresholds - 1 ? 0.95 : 0.5 + i * step)) passed++
  return passed / thresholds
}
