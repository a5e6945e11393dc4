import { compile, type Evaluate, ExpressionError, unknownNames } from './expression.ts'

/**
 * Compiles a text in which `{expression}` stands for what a JSONata expression finds in the item; `name` is the field that
 * holds it, for messages. What is no text is written as JSON; an expression that finds nothing is an error.
 */
export function compileTemplate(text: string, name: string, seconds: number): Evaluate {
  const pieces = text.split(/\{([^{}]*)\}/)
  if (pieces.length === 1 || pieces.some((piece, i) => i % 2 === 0 && /[{}]/.test(piece)))
    throw new ExpressionError(
      'bad-expression',
      `${name}: must be a text with {expression} in it, each with both braces, found ${JSON.stringify(text)}`,
    )
  const parts = pieces.map((piece, i) => (i % 2 === 0 ? piece : compile(piece, name, seconds)))
  return async (value, key) => {
    let filled = ''
    for (const [i, part] of parts.entries()) {
      if (typeof part === 'string') {
        filled += part
        continue
      }
      const found = await part(value, key)
      if (found === undefined) throw nothingFound(key, name, `{${pieces[i]}}`, value)
      filled += typeof found === 'string' ? found : JSON.stringify(found)
    }
    return filled
  }
}

/** The error of an expression that finds nothing in an item. */
export function nothingFound(key: string, name: string, text: string, value: unknown): ExpressionError {
  const has =
    typeof value === 'object' && value !== null ? Object.keys(value).join(', ') : JSON.stringify(value)
  return new ExpressionError(
    'bad-row',
    `item "${key}": ${name} ${JSON.stringify(text)}: must find something, found nothing; the item has ${has}${unknownNames(text, value)}`,
  )
}
