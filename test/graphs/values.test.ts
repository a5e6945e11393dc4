import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { loadGraph } from '../../engine/graph/check.ts'
import { endName } from '../../engine/graph/flatten/flat.ts'
import type { Plan } from '../../engine/graph/plan.ts'
import type { Fields } from '../../engine/operator.ts'
import { operators, resources } from '../../operators/index.ts'
import { fixture } from '../fixtures.ts'
import { graphsFolder, readGraph, runnable, settingsFor } from './graph-files.ts'

t.test('every graph has the values that are listed for it', async t => {
  const file = fixture('graph-values.txt')
  const texts = runnable.map(name => {
    const plan = loadGraph(
      join(graphsFolder, name),
      { operators, resources },
      { set: settingsFor(readGraph(name)) },
    )
    return [`# ${name}`, ...valuesOf(plan).sort(), ''].join('\n')
  })
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, texts.join('\n'))
  t.equal(texts.join('\n'), readFileSync(file, 'utf8'), 'else look at UPDATE_GOLDEN=1 and its diff')
})

/** A line for each edge, and for each config value that is not the default of its operator. */
function valuesOf({ nodes, resources, params, checkpoint }: Plan): string[] {
  return [
    ...Object.entries(params).map(([name, value]) => `param ${name} = ${JSON.stringify(value)}`),
    ...(checkpoint ? [`checkpoint ${JSON.stringify(checkpoint)}`] : []),
    ...resources.flatMap(({ name, resourceName, resource, config }) => [
      `${name}: ${resourceName}`,
      ...configOf(name, config, resource.config),
    ]),
    ...nodes.flatMap(({ name, operatorName, operator, config, onError, wires }) => [
      `${name}: ${operatorName}${onError === 'stop' ? '' : ` ${JSON.stringify(onError)}`}`,
      ...configOf(name, config, operator.config),
      ...wires.map(
        ({ port, from, at: _, ...edge }) => `${name}.${port} <- ${endName(from)} ${JSON.stringify(edge)}`,
      ),
    ]),
  ]
}

function configOf(name: string, config: Readonly<Record<string, unknown>>, fields: Fields): string[] {
  return Object.entries(config)
    .filter(([key, value]) => !isDeepStrictEqual(value, fields[key]?.default))
    .map(([key, value]) => `${name}.config.${key} = ${JSON.stringify(value)}`)
}
