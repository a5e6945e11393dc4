import path from 'node:path'

export default path
export const { basename, dirname, extname, isAbsolute, join, normalize, relative, resolve, sep } = path
export const posix = path
/** Paths of data are refused if they start at a root of Windows too. */
export const win32 = { isAbsolute: name => /^([a-z]:)?[\\/]/i.test(name) }
