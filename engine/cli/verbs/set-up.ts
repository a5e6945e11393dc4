import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../../shared/package-folder.ts'
import { UsageError } from '../arguments.ts'
import type { Verb } from '../verb.ts'

export const setUp: Verb = {
  summary: 'Makes the machine ready: installs ffmpeg and a Vulkan driver if they are missing.',
  usage: '',
  flags: {},
  example: 'FLOW_NO_SYSTEM_INSTALL=1 npx flow set-up',
  run: async ({ positional }) => {
    if (positional.length > 0) throw new UsageError(`must be alone, found ${positional.join(' ')}`)
    const script = join(packageFolder, 'engine/cli/set-up/machine-only.mjs')
    if (!existsSync(script)) throw new UsageError(`${script}: is missing from the package; install it again`)
    return new Promise((done, fail) => {
      const child = spawn(process.execPath, [script], { stdio: 'inherit' })
      child.on('error', fail)
      child.on('exit', code => done(code ?? 1))
    })
  },
}
