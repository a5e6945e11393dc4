// The name under which flow is published and installed: told in package.json alone.
import { join } from 'node:path'
import { readJsonObject } from './json.ts'
import { packageFolder } from './package-folder.ts'

const { name, version } = readJsonObject(join(packageFolder, 'package.json'))

/** What `import` and `npm install` call this package. */
export const packageName = String(name)

/** As `flow --version` says it. */
export const packageVersion = (): string => `${packageName} ${String(version)}`

/** How messages call the program. Without `--no`, npx would fetch another package of the name `flow` where this one is not installed. */
export const flowCommand = 'npx --no flow'
