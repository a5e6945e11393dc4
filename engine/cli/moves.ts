// A run may go on although its data, models or working directory lie elsewhere now, if their content is what it was.
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { Plan } from '../graph/plan.ts'
import { isInside } from '../shared/inside.ts'
import { basisPaths } from './basis.ts'

/** A path of the time when the run began, and where it is now. */
export interface Move {
  readonly from: string
  readonly to: string
}

/** Where the run's folder is, seen from its working directory: tells where that directory is if both have moved. */
export const placeIn = (workingDirectory: string, directory: string): string =>
  relative(workingDirectory, resolve(directory))

/** The folder that was the working directory of a run, now that it and the run's folder lie elsewhere; else the present one. */
export function movedHome(directory: string, { place }: Readonly<Record<string, unknown>>): string {
  const now = resolve(directory)
  if (!isInside(place) || !now.endsWith(sep + place)) return process.cwd()
  return now.slice(0, -place.length - 1) || sep
}

/** The move that a setting states when the value that it replaces is a path that the run reads. */
export function moveOf(
  setting: string,
  { params, nodes, resources }: Pick<Plan, 'params' | 'nodes' | 'resources'>,
  { home, directory }: { home: string; directory: string },
): Move | undefined {
  const [key = '', ...rest] = setting.split('=')
  const [section, name, part, field, ...deeper] = key.trim().split('.')
  const parts = section === 'nodes' ? nodes : section === 'resources' ? resources : []
  const config = parts.find(one => one.name === name)?.config
  const before =
    name === undefined
      ? params[key.trim()]
      : part === 'config' && field !== undefined && deeper.length === 0
        ? config?.[field]
        : undefined
  if (typeof before !== 'string' || before === '') return undefined
  const from = resolve(home, before)
  const isRead = basisPaths(directory).some(path => path === from || path.startsWith(from + sep))
  return isRead ? { from, to: resolve(home, rest.join('=')) } : undefined
}

/** The place at which a path of the basis is looked for now. */
export function placeNow(path: string, moves: readonly Move[]): string {
  for (const { from, to } of moves)
    if (path === from || path.startsWith(from + sep)) return to + path.slice(from.length)
  // clips lie beside the table that names them, and move with it
  for (const { from, to } of moves) {
    const near = join(dirname(to), relative(dirname(from), path))
    if (path.startsWith(dirname(from) + sep) && existsSync(near)) return near
  }
  return path
}

/** The moves that a run has had to take into account: of its working directory, if that is gone. */
export function homeMove({ workingDirectory }: Readonly<Record<string, unknown>>): Move[] {
  if (typeof workingDirectory !== 'string' || existsSync(workingDirectory)) return []
  return [{ from: workingDirectory, to: process.cwd() }]
}
