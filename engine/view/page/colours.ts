/** Colours of runs, told apart also by people who see red and green alike (Okabe and Ito 2008). */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a6d00', '#7f7f7f']

export const colourOf = (index: number): string => palette[index % palette.length] ?? '#0072b2'
