// Compares formulas for operators/reward/formulas.ts, which ends this thread when a comparison takes too long.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort } from 'node:worker_threads'
import { packageFolder } from '../../engine/shared/package-folder.ts'

// flow carries the library (engine/cli/set-up/vendor.mjs); in a tree that was only compiled it is a package
const carried = join(packageFolder, 'dist/vendor/math-expressions.js')
const { default: mathExpressions }: typeof import('math-expressions') = existsSync(carried)
  ? await import(pathToFileURL(carried).href)
  : await import('math-expressions')

parentPort?.on('message', ({ left, right }: { left: string; right: string }) => {
  parentPort?.postMessage(equal(left, right))
})
parentPort?.postMessage('ready')

/** Equal by the library's normal forms and at random points; a formula that it cannot read equals nothing. */
function equal(left: string, right: string): boolean {
  try {
    return mathExpressions.fromLatex(left).equals(mathExpressions.fromLatex(right))
  } catch {
    return false
  }
}
