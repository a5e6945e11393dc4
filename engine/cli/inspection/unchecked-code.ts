import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plan, Registry } from '../../graph/plan.ts'
import { packageName } from '../../shared/package-name.ts'
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
    const how = test === undefined ? 'write a test of it' : `${testCommand(test)} runs them`
    return `${pathHere(path)}: what ${[...names].join(', ')} does with an item, and the WGSL of its kernels if it has any; ${how}`
  })
}

/** The test beside a module, where `flow new` puts it; a module may have become one of TypeScript and its test not. */
function testOf(path: string): string | undefined {
  const ending = extname(path)
  const tests = [ending, '.mjs', '.js', '.ts', '.mts'].map(
    each => `${path.slice(0, path.length - ending.length)}.test${each}`,
  )
  const test = tests.find(each => existsSync(each))
  return test === undefined ? undefined : pathHere(test)
}

/** Node 20 loads no TypeScript by itself. */
const testCommand = (test: string): string =>
  /\.m?ts$/.test(test) ? `node --import ${packageName}/register --test ${test}` : `node --test ${test}`
