// node --import tsx test/oracle/main.ts OUT: writes a golden folder of each case under OUT.
// node --import tsx test/oracle/main.ts --check DIR …: prints how far the oracle is from golden folders.
import { join } from 'node:path'
import { agreement } from './agreement.ts'
import { cases } from './cases.ts'
import { writeCase } from './write-case.ts'

const [first, ...rest] = process.argv.slice(2)
if (first === '--check' && rest.length > 0) {
  for (const folder of rest) {
    const rows = await agreement(folder)
    const largest = rows.toSorted((a, b) => b.error / b.bound - a.error / a.bound)
    for (const { ok, error, bound, name } of largest)
      console.log(`${ok ? 'ok  ' : 'OVER'} ${error.toExponential(1)} <= ${bound.toExponential(0)}  ${name}`)
    console.log(
      `${folder}: ${rows.length} quantities, ${rows.filter(({ ok }) => !ok).length} over their bound`,
    )
    if (rows.some(({ ok }) => !ok)) process.exitCode = 1
  }
} else if (first && rest.length === 0) {
  for (const sizes of cases) {
    const started = performance.now()
    await writeCase(join(first, sizes.name), sizes)
    console.log(`${join(first, sizes.name)}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
} else {
  console.error('usage: main.ts OUT | main.ts --check DIR …')
  process.exitCode = 2
}
