// Compares formulas for operators/reward/formulas.ts, which ends this thread when a comparison takes too long.
import { parentPort } from 'node:worker_threads'
import mathExpressions from 'math-expressions'

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
