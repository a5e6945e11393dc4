import { ignoredLabel, imagePlaceholderId } from '../../kernels/networks/packing.ts'
import { imageMarker, type Template } from './template.ts'
import { TextError } from './text-error.ts'

export interface TextEncoder {
  encode(text: string): number[]
}

/** Ids of a rendered text: the pieces around each `<image>` are encoded apart and joined by -200. */
export function tokenize(tokenizer: TextEncoder, text: string): number[] {
  const [first = '', ...rest] = text.split(imageMarker)
  const ids = tokenizer.encode(first)
  for (const piece of rest) ids.push(imagePlaceholderId, ...tokenizer.encode(piece))
  return ids
}

/**
 * Ids of a rendered conversation with its labels: the id itself in answers and the end of text that closes each, -100
 * elsewhere. A template without separator learns everything but the leading visual slot. Throws when the rounds, cut
 * apart and tokenised again, do not add up to the ids, because labels would then belong to the wrong tokens.
 */
export function tokenizeWithLabels(
  tokenizer: TextEncoder,
  template: Template,
  text: string,
  key: string,
): { ids: number[]; labels: number[] } {
  const ids = tokenize(tokenizer, text)
  const labels = [...ids]
  if (template.frames) {
    const learnt = labelsOfAnswers(tokenizer, template, text)
    if (learnt.length !== ids.length) throw mismatch(template, key, ids.length, learnt.length)
    return { ids, labels: learnt }
  }
  if (template.separator === '') labels.fill(ignoredLabel, 0, tokenize(tokenizer, imageMarker).length)
  else {
    const counted = maskQuestions(tokenizer, template, text, labels)
    if (counted !== ids.length) throw mismatch(template, key, ids.length, counted)
  }
  return { ids, labels }
}

const mismatch = ({ separator, endOfText }: Template, key: string, wanted: number, found: number) =>
  new TextError(
    'label-mismatch',
    `sample ${key}: labels need rounds of ${wanted} tokens in all, found ${found}; ` +
      `does a message contain ${JSON.stringify(separator)} or ${JSON.stringify(endOfText)}?`,
  )

/** Where questions end as answers do: what follows a separator is learnt, up to the next end of text and with it. */
function labelsOfAnswers(tokenizer: TextEncoder, { separator, endOfText }: Template, text: string): number[] {
  const labels: number[] = []
  const [first = '', ...rounds] = text.split(separator)
  const ignore = (piece: string) => {
    for (const _ of tokenize(tokenizer, piece)) labels.push(ignoredLabel)
  }
  ignore(first + (rounds.length > 0 ? separator : ''))
  rounds.forEach((round, i) => {
    const end = round.indexOf(endOfText)
    const answer = end < 0 ? round : round.slice(0, end + endOfText.length)
    labels.push(...tokenize(tokenizer, answer))
    ignore(round.slice(answer.length) + (i + 1 < rounds.length ? separator : ''))
  })
  return labels
}

/** Masks all but the answers and returns how many tokens the rounds account for; stops at the first malformed round. */
function maskQuestions(tokenizer: TextEncoder, template: Template, text: string, labels: number[]): number {
  const { separator, endOfText } = template
  let at = 0
  for (const round of text.split(endOfText)) {
    const [question, ...answers] = round.split(separator)
    if (round === '' || answers.length !== 1) break
    // The separator's last space is a token here, but in the round it is part of the answer's first token.
    const masked = tokenize(tokenizer, question + separator).length - 1
    labels.fill(ignoredLabel, at, at + masked)
    at += tokenize(tokenizer, round).length + tokenizer.encode(endOfText).length
  }
  labels.fill(ignoredLabel, at)
  return at
}
