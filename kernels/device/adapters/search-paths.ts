import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** The files of Vulkan drivers that the loader reads on Linux, in its order. */
export function driverFiles(environment: Environment): string[] {
  const stated = environment.VK_DRIVER_FILES ?? environment.VK_ICD_FILENAMES
  const more = pathsIn(environment.VK_ADD_DRIVER_FILES)
  return [...more, ...(stated ? pathsIn(stated) : searched('icd.d', environment))].flatMap(jsonFiles)
}

/** Mesa's layer that shows a program one GPU of several, by its PCI id; it acts on the GPUs of every driver. */
export function hasSelectLayer(environment: Environment): boolean {
  const places = [
    ...pathsIn(environment.VK_ADD_IMPLICIT_LAYER_PATH),
    ...pathsIn(environment.VK_IMPLICIT_LAYER_PATH),
    ...searched('implicit_layer.d', environment),
  ]
  return places.flatMap(jsonFiles).some(file => file.endsWith('VkLayer_MESA_device_select.json'))
}

/** Folders for files about Vulkan in which its loader looks. */
function searched(kind: string, environment: Environment): string[] {
  const home = environment.HOME ?? ''
  const places = [
    environment.XDG_CONFIG_HOME ?? join(home, '.config'),
    ...pathsIn(environment.XDG_CONFIG_DIRS ?? '/etc/xdg'),
    '/etc',
    environment.XDG_DATA_HOME ?? join(home, '.local/share'),
    ...pathsIn(environment.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share'),
  ]
  return places.map(place => join(place, 'vulkan', kind))
}

const pathsIn = (text = ''): string[] => text.split(':').filter(path => path !== '')

/** A path may name a file, or a folder of files. */
function jsonFiles(path: string): string[] {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => join(path, name))
}
