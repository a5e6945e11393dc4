// Builds the page of `flow view` and of report.html: one file, with its style and its script inside, that loads nothing.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Leaves what is there where the sources are not: an installed flow carries the page. */
export async function page(root) {
  const folder = join(root, 'engine/view/page')
  if (!existsSync(folder) || !existsSync(join(root, 'node_modules/esbuild'))) return
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(folder, 'main.tsx')],
    tsconfig: join(folder, 'tsconfig.json'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    write: false,
  })
  const script = outputFiles[0].text
  const plot = readFileSync(join(root, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8')
  const style = `${plot}${readFileSync(join(folder, 'style.css'), 'utf8')}`
  const rules = [
    "default-src 'none'",
    `script-src ${digestOf(script)}`,
    `style-src ${digestOf(style)}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ]
  const parts = {
    '<!--style-->': `<style>${style}</style>`,
    '<!--script-->': `<script type="module">${script}</script>`,
    'content="rules"': `content="${rules.join('; ')}"`,
  }
  const text = readFileSync(join(folder, 'page.html'), 'utf8')
  const whole = Object.entries(parts).reduce((page, [place, part]) => page.replace(place, () => part), text)
  mkdirSync(join(root, 'dist/page'), { recursive: true })
  writeFileSync(join(root, 'dist/page/view.html'), whole)
}

const digestOf = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

if (process.argv[1] === fileURLToPath(import.meta.url))
  await page(fileURLToPath(new URL('../../..', import.meta.url)))
