/** The options as a reader compares them with words of an answer. */
export interface OptionWords {
  letter: string
  /** In lower case, without marks around them; with the option's own label and without. */
  forms: readonly string[]
}

export function optionWords(letters: readonly string[], options: readonly string[]): OptionWords[] {
  return letters.map((letter, i) => {
    const option = options[i] ?? ''
    const label = /^\(?([A-Z])[.):]\s?/.exec(option)
    const bare = label?.[1] === letter ? option.slice(label[0].length) : option
    const forms = [plainWords(option), plainWords(bare)].filter(form => form !== '')
    return { letter, forms: [...new Set(forms)] }
  })
}

/** Lower case, one space between words, no marks of emphasis, no quotes, no punctuation at the ends. */
export function plainWords(text: string): string {
  const words = text.toLowerCase().replace(emphasis, '').replace(/\s+/g, ' ')
  let [start, end] = [0, words.length]
  while (start < end && edge.includes(words.charAt(start))) start++
  while (end > start && edge.includes(words.charAt(end - 1))) end--
  return words.slice(start, end)
}

const emphasis = /[*`"“”]/g
const edge = " .,;:!?。、'’‘"

/** The options whose words a plain text is, or begins with where `whole` is not asked: those with the longest words. */
export function optionsSaid(said: string, words: readonly OptionWords[], whole: boolean): string[] {
  let [longest, letters]: [number, string[]] = [0, []]
  for (const { letter, forms } of words) {
    const lengths = forms
      .filter(form => (whole ? said === form : beginsWith(said, form)))
      .map(form => form.length)
    const length = Math.max(0, ...lengths)
    if (length > longest) [longest, letters] = [length, []]
    if (length > 0 && length === longest) letters.push(letter)
  }
  return letters
}

const beginsWith = (said: string, words: string): boolean =>
  said.startsWith(words) && !/^[\p{L}\p{N}]/u.test(said.slice(words.length, words.length + 2))
