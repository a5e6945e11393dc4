// `flow/testing` for operators that use a model: the embedded one, and an optimizer of it.
import type { Resource } from '../../engine/operator.ts'
import adamw from './adamw.ts'
import model from './model.ts'

/**
 * Resources for `faultsOf(operator, { config: { model: 'model' }, resources: tinyModel() })`: "model" is builtin:cold-start, which
 * trains, and "optimizer" changes its weights.
 */
export const tinyModel = (): Readonly<Record<'model' | 'optimizer', Resource>> => ({
  model: withDefaults(model, { path: 'builtin:cold-start', train: ['connector', 'language'] }),
  optimizer: withDefaults(adamw, { model: 'model', steps: 100 }),
})

function withDefaults(resource: Resource, values: Readonly<Record<string, unknown>>): Resource {
  const fields = Object.entries(resource.config).map(([name, field]) => [
    name,
    Object.hasOwn(values, name) ? { ...field, default: values[name] } : field,
  ])
  return { ...resource, config: Object.fromEntries(fields) }
}
