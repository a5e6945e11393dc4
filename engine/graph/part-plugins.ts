import type { NamedPart } from './plan.ts'

const plugins = new WeakMap<object, string>()

/** Remembers the plugin that a part of models came from: what `--plugin` takes, from any folder. */
export const setPluginOf = (part: NamedPart, plugin: string): void => void plugins.set(part, plugin)

/** The plugin that a part of models came from; undefined for those of flow. */
export const pluginOf = (part: object): string | undefined => plugins.get(part)
