/** Faults told of one kind. */
export const shown = 5

/** The first of many, and how many more there are. */
export const listed = (all: readonly string[]): string =>
  all.slice(0, shown).join(', ') + (all.length > shown ? `, … and ${all.length - shown} more` : '')
