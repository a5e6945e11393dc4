// Copies the library of the formula reward into dist/vendor. It is one file that needs no other package, but npm would install
// 300 packages with it for everybody who installs flow: so it is a dependency of the development alone, and flow carries it.
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const library = 'node_modules/math-expressions'
const files = [
  ['build/math-expressions.js', 'math-expressions.js'],
  ['LICENSE.md', 'math-expressions.LICENSE.md'],
]

/** Leaves what is there where the library is not installed: an installed flow carries it already. */
export function vendor(root) {
  for (const [from, to] of files) {
    const [source, target] = [join(root, library, from), join(root, 'dist/vendor', to)]
    if (!existsSync(source)) continue
    if (existsSync(target) && readFileSync(target).equals(readFileSync(source))) continue
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(source, target)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  vendor(fileURLToPath(new URL('../../..', import.meta.url)))
