/** An option that is written into a question. */
export interface InlineOption {
  letter: string
  words: string
}

/** Marks of options, from the plainest: `(A)` or `A.` at the start of lines, else `(A)` or `A.` inside a line. */
const forms: readonly RegExp[] = [
  /(?:^|[\r\n])[ \t]{0,8}\(([A-Z])\)/g,
  /(?:^|[\r\n])[ \t]{0,8}([A-Z])[.):](?=\s)/g,
  /(?<!\w)\(([A-Z])\)/g,
  /(?<![\w.])([A-Z])[.):](?=\s)/g,
]

/** The options that a question holds after its words: A, B, … in order, in the first form that has two of them. */
export function optionsIn(question: string): InlineOption[] {
  for (const [i, form] of forms.entries()) {
    const marks = marksIn(question, form)
    if (marks.length < 2) continue
    return marks.map(({ letter, end }, n) => {
      const rest = question.slice(end, marks[n + 1]?.start)
      // an option at the start of a line is the whole line
      const words = i < 2 ? (rest.split(/[\r\n]/, 1)[0] ?? '') : rest
      return { letter, words: words.trim() }
    })
  }
  return []
}

/** The texts of the options of a question: those that its row lists, else those in the question. */
export const optionTexts = (question: string, listed: readonly string[]): readonly string[] =>
  listed.length > 0 ? listed : optionsIn(question).map(({ words }) => words)

interface Mark {
  letter: string
  start: number
  end: number
}

/** The last run of marks whose letters are A, B, C, … */
function marksIn(text: string, form: RegExp): Mark[] {
  let marks: Mark[] = []
  for (const { 0: all, 1: letter = '', index } of text.matchAll(form)) {
    if (letter === 'A') marks = []
    if (letter === String.fromCharCode(65 + marks.length))
      marks.push({ letter, start: index, end: index + all.length })
  }
  return marks
}
