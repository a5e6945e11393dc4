// Builds `flow/browser`: one file with the engine, the operators and the kernels, and the libraries that it needs inside.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Leaves what is there where the sources are not: an installed flow carries the file. */
export async function browser(root) {
  if (!existsSync(join(root, 'tsconfig.json')) || !existsSync(join(root, 'node_modules/esbuild'))) return
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: root,
    entryPoints: ['dist/operators/browser.js'],
    outfile: 'dist/browser/flow.js',
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    charset: 'utf8',
    // the library's own edition for browsers
    alias: { 'csv-parse/sync': 'csv-parse/browser/esm/sync' },
    // the licences of the libraries inside
    legalComments: 'eof',
    define: {
      flowVersion: JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version),
    },
    logLevel: 'warning',
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await browser(fileURLToPath(new URL('../../..', import.meta.url)))
