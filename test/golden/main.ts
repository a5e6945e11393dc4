// npm run golden -- [--precision float32|float16] DIR …: computes what the files of DIR hold, models in that precision, and
// prints name, largest error and bound of each quantity.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Device, openDevice } from '../../kernels/device/device.ts'
import type { Precision } from '../../kernels/plan/recording.ts'
import { checkCheckpoint } from './checkpoint.ts'
import { checkConnector } from './connector.ts'
import { checkFamily, checkProcessor } from './family.ts'
import { checkPixels } from './pixels.ts'
import { checkProbes } from './probes.ts'
import type { Row } from './row.ts'
import { checkPrompts, checkText } from './text.ts'

interface Check {
  /** The check runs when the folder holds this file. */
  file: string
  run(folder: string, device: () => Promise<Device>, precision: Precision): Promise<Row[]>
}

const checks: readonly Check[] = [
  { file: 'expected.json', run: folder => checkPrompts(folder) },
  {
    file: 'expected.safetensors',
    run: async (folder, device, precision) => checkCheckpoint(folder, await device(), precision),
  },
  { file: 'pixels.safetensors', run: async (folder, device) => checkPixels(folder, await device()) },
  { file: 'text.json', run: folder => checkText(folder) },
  {
    file: 'connector.json',
    run: async (folder, device, precision) => checkConnector(folder, await device(), precision),
  },
  { file: 'MANIFEST.json', run: folder => checkProbes(folder) },
]

/** Of a folder that families.py wrote; all of it in float32. */
const familyChecks: readonly Check[] = [
  { file: 'expected.safetensors', run: async (folder, device) => checkFamily(folder, await device()) },
  { file: 'processor.safetensors', run: async (folder, device) => checkProcessor(folder, await device()) },
]

process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  const { precision, folders } = wanted(args)
  if (!precision || folders.length === 0) {
    console.error('usage: npm run golden -- [--precision float32|float16] DIR …')
    return 2
  }
  let opened: Promise<Device> | undefined
  const device = () => (opened ??= openDevice())
  const rows: Row[] = []
  for (const folder of folders) {
    const isFamily = existsSync(join(folder, 'processor.safetensors'))
    if (isFamily && precision !== 'float32') {
      console.error(`${folder}: is compared in float32 only, found --precision ${precision}`)
      return 2
    }
    const present = (isFamily ? familyChecks : checks).filter(({ file }) => existsSync(join(folder, file)))
    if (present.length === 0) {
      console.error(
        `${folder}: nothing to check; expected one of ${checks.map(check => check.file).join(', ')}`,
      )
      return 2
    }
    for (const check of present) rows.push(...print(await check.run(folder, device, precision)))
  }
  const over = rows.filter(({ ok }) => !ok)
  const adapter = opened ? ` in ${precision} on ${nameOf(await opened)}` : ''
  console.log(
    `${rows.length} quantities${adapter}, ${over.length} over their bound${over.map(r => `\n  ${r.name}`).join('')}`,
  )
  return over.length > 0 ? 1 : 0
}

function wanted(args: readonly string[]): { precision: Precision | undefined; folders: readonly string[] } {
  if (args[0] !== '--precision') return { precision: 'float32', folders: args }
  const precision = (['float32', 'float16'] as const).find(name => name === args[1])
  return { precision, folders: args.slice(2) }
}

/** Without matrix units only weights are float16: products are float32. */
function nameOf({ info, units }: Device): string {
  return `${info.description || info.device}${units === 'none' ? ' without matrix units' : ''}`
}

function print(rows: Row[]): Row[] {
  for (const { name, error, bound, ok } of rows)
    console.log(
      `${ok ? 'ok  ' : 'OVER'} ${error.toExponential(2).padStart(9)} <= ${bound.toExponential(0)}  ${name}`,
    )
  return rows
}
