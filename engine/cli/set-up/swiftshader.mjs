// SwiftShader: a software Vulkan driver and its loader out of an npm package, for who may not install system packages.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { failure } from './machine.mjs'

const source = '@sparticuz/chromium@147.0.0'
const archive = 'package/bin/swiftshader.tar.br'

const folderOf = machine => join(machine.root, '.cache/flow/swiftshader')

/** Variables that make Dawn find it, or undefined when it is not there. */
export function swiftshader(machine) {
  const folder = folderOf(machine)
  if (!machine.exists(folder)) return undefined
  return { VK_DRIVER_FILES: join(folder, 'vk_swiftshader_icd.json'), LD_LIBRARY_PATH: folder }
}

/** Downloads about 70 MB and keeps 15 of them. */
export async function downloadSwiftshader(machine) {
  const folder = folderOf(machine)
  mkdirSync(join(folder, '..'), { recursive: true })
  const partial = mkdtempSync(`${folder}.part-`)
  const run = async (command, args) => {
    const result = await machine.run(command, args, { cwd: partial, deadlineSeconds: 300 })
    if (result.status !== 0) throw failure(`SwiftShader: ${command} failed`, result)
  }
  try {
    await run('npm', ['pack', source])
    const packed = readdirSync(partial).find(name => name.endsWith('.tgz'))
    await run('tar', ['-xzf', packed, archive])
    writeFileSync(join(partial, 'driver.tar'), brotliDecompressSync(readFileSync(join(partial, archive))))
    mkdirSync(join(partial, 'driver'))
    await run('tar', ['-xf', 'driver.tar', '-C', 'driver'])
    renameSync(join(partial, 'driver'), folder)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}
