import type { TensorNames } from '../checkpoint/model-config.ts'

/** Names that differ in how they begin: pairs of our own beginning and the stored one, longer ones first. */
export function namesByPrefix(pairs: readonly (readonly [own: string, stored: string])[]): TensorNames {
  const renamed = (name: string, from: 0 | 1, to: 0 | 1): string => {
    const pair = pairs.find(beginnings => name.startsWith(beginnings[from]))
    return pair ? pair[to] + name.slice(pair[from].length) : name
  }
  return { stored: own => renamed(own, 0, 1), own: stored => renamed(stored, 1, 0) }
}
