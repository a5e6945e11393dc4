const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes for people, in decimal units and three digits: `53.7 MB`. */
export function showBytes(bytes: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : Number(value.toPrecision(3))} ${units[power]}`
}

/** Reads `8GB`, `512 MiB` or a number of bytes; undefined when it is none of these. */
export function readBytes(text: string): number | undefined {
  const [, digits, prefix, binary] = /^(\d+(?:\.\d+)?) ?(?:([kmgt]?)(i?)b)?$/i.exec(text.trim()) ?? []
  if (digits === undefined) return undefined
  const power = ['', 'k', 'm', 'g', 't'].indexOf((prefix ?? '').toLowerCase())
  return Math.floor(Number(digits) * (binary ? 1024 : 1000) ** power)
}
