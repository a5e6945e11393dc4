// What the columns of a file most likely hold, by their names: to be offered in a message, never to be taken as read.

const words = {
  video: ['video', 'clip', 'file', 'path', 'vid', 'movie', 'media'],
  question: ['question', 'problem', 'query', 'q', 'prompt', 'text'],
  options: ['options', 'choices', 'candidates', 'alternatives'],
  answer: ['answer', 'solution', 'label', 'gold', 'target', 'correct', 'right', 'truth', 'key'],
} as const

type What = keyof typeof words

/**
 * Names of columns by what they hold, in the form of the config field `columns`; `…` where no name tells it. Those that the config states
 * and that are there stay.
 */
export function suggested(
  rows: readonly Readonly<Record<string, unknown>>[],
  stated: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, string | readonly string[]>> {
  const counts = new Map<string, number>()
  for (const name of rows.flatMap(row => Object.keys(row))) counts.set(name, (counts.get(name) ?? 0) + 1)
  // a name that only some rows have is one of their slips, unless it is that of an option
  const isOfMost = (name: string) => 2 * (counts.get(name) ?? 0) > rows.length
  const left = new Set(counts.keys())
  const kept = Object.fromEntries(
    Object.entries(stated).filter(([, names]) => [names].flat().every(name => left.has(String(name)))),
  ) as Readonly<Record<string, string | readonly string[]>> // the cast: their types have been looked at
  for (const name of Object.values(kept).flat()) left.delete(name)
  const take = (what: What): string | undefined => {
    const names = [...left].filter(isOfMost)
    const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '')
    const name =
      words[what].map(word => names.find(one => plain(one) === word)).find(Boolean) ??
      words[what].map(word => names.find(one => word.length > 2 && plain(one).includes(word))).find(Boolean)
    if (name !== undefined) left.delete(name)
    return name
  }
  const video = take('video')
  const question = take('question')
  const numbered = series([...left])
  const listed = numbered ?? take('options')
  const answer = take('answer')
  const options = listed ?? (answer === undefined ? undefined : holding(rows, [...left], answer))
  return {
    video: video ?? '…',
    question: question ?? '…',
    ...(options !== undefined && { options }),
    ...(answer !== undefined && { answer }),
    ...kept,
  }
}

/** Columns one of which holds the answer of each row, as a text: the options. */
function holding(
  rows: readonly Readonly<Record<string, unknown>>[],
  names: readonly string[],
  answer: string,
): string[] | undefined {
  const held = rows.map(row => names.filter(name => row[name] !== '' && row[name] === row[answer]))
  const options = names.filter(name => held.some(cells => cells.includes(name)))
  return options.length >= 2 && held.every(cells => cells.length > 0) ? options : undefined
}

/** Columns such as `a0`, `a1`, … or `option_a`, `option_b`, …: one name with a number or a letter after it. */
function series(names: readonly string[]): string[] | undefined {
  const stems = new Map<string, string[]>()
  for (const name of names) {
    const [, stem] = /^(.*?[_ ]?)(?:\d|[A-Ha-h])$/.exec(name) ?? []
    if (stem !== undefined) stems.set(stem, [...(stems.get(stem) ?? []), name])
  }
  return [...stems.values()].find(all => all.length >= 2)
}
