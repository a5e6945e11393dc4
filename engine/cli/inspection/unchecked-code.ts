import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plan, Registry } from '../../graph/plan.ts'
import { pathHere } from '../../shared/path-here.ts'

/** What a check cannot tell of the operators of plugins: their code runs, and their WGSL is compiled, only with items. */
export function uncheckedCode({ nodes }: Plan, { modules = {} }: Pick<Registry, 'modules'>): string[] {
  const byModule = new Map<string, Set<string>>()
  for (const { operatorName } of nodes) {
    const module = Object.hasOwn(modules, operatorName) ? modules[operatorName] : undefined
    if (module === undefined) continue
    byModule.set(module, (byModule.get(module) ?? new Set()).add(operatorName))
  }
  return [...byModule].map(([module, names]) => {
    const path = module.startsWith('file:') ? fileURLToPath(module) : module
    const test = testOf(path)
    const how = test === undefined ? 'write a test of it' : `node --test ${test} runs them`
    return `${pathHere(path)}: what ${[...names].join(', ')} does with an item, and the WGSL of its kernels if it has any; ${how}`
  })
}

/** The test beside a module, where `flow new` puts it. */
function testOf(path: string): string | undefined {
  const ending = extname(path)
  const test = `${path.slice(0, path.length - ending.length)}.test${ending}`
  return existsSync(test) ? pathHere(test) : undefined
}
