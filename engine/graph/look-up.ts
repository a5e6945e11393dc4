/** The value of a key that the table itself has: `constructor` is not an operator, though every object inherits it. */
export function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
