import { isAbsolute, relative } from '../../engine/platform/paths.ts'
import { isInside } from '../../engine/shared/inside.ts'
import { found, RowFault } from './rows.ts'

/**
 * The path of a clip inside `root`, as a row names it: from there, with `./` or without, or as an absolute path that leads into
 * it. Data may name no file outside: whoever runs a graph on data from elsewhere decides by root what it may show.
 */
export function nameInside(root: string, name: string, field: string): string | RowFault {
  const place = isAbsolute(name) ? relative(root, name) : name.replace(/^\.\//, '')
  if (isInside(place)) return place
  const hint = isAbsolute(name) ? '; --set root=/ allows any folder' : ''
  return new RowFault(
    `${field}: must name a file inside ${root}, the folder of the data or the one that root names`,
    `${found(name)}${hint}`,
  )
}
