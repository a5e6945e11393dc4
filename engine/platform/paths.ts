import { platform } from '#platform'

export const { basename, dirname, extname, isAbsolute, join, posix, relative, resolve, sep, win32 } =
  platform.paths
