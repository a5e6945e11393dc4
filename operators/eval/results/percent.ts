/** A share in percent, with one decimal. */
export const percent = (fraction: number): string =>
  Number.isNaN(fraction) ? '–' : (fraction * 100).toFixed(1)
