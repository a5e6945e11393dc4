import { relative, resolve } from '../platform/paths.ts'

/** A path as messages give it: as seen from the working directory, or from the root where that is shorter. */
export function pathHere(path: string): string {
  const absolute = resolve(path)
  const near = relative('', absolute) || '.'
  return near.length < absolute.length ? near : absolute
}
