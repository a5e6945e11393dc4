// npm run web: two pages as static files in dist/web, which any server can give. In one the visitor asks a model about a clip, in
// the other the demonstration is trained; both in the visitor's tab, with flow/browser.
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const web = join(root, 'engine/cli/web')
const out = join(root, 'dist/web')
const read = path => readFileSync(join(root, path), 'utf8')

rmSync(out, { recursive: true, force: true })
mkdirSync(join(out, 'model'), { recursive: true })
await build({
  absWorkingDir: root,
  entryPoints: [join(web, 'ask.tsx'), join(web, 'train.tsx')],
  tsconfig: join(web, 'tsconfig.json'),
  outdir: out,
  bundle: true,
  splitting: true,
  chunkNames: 'flow-[hash]',
  minify: process.argv[2] !== '--plain',
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'eof',
  // its own edition for browsers, which its "exports" do not name
  alias: { '@huggingface/hub': './node_modules/@huggingface/hub/dist/browser/index.mjs' },
  logLevel: 'warning',
})
cpSync(join(root, 'operators/shapes/cold-start'), join(out, 'model'), { recursive: true })
for (const name of ['grpo', 'infer'])
  copyFileSync(join(root, `graphs/${name}.json`), join(out, `${name}.json`))

/** The clips that a visitor may take, in a format that browsers play. */
const run = ['dist/engine/cli/main.js', 'run', 'graphs/demo/tab-clips.json', '--set', `out=${out}`]
const made = spawnSync(process.execPath, [...run, '--out', join(root, 'dist/web-clips-run')], {
  cwd: root,
  encoding: 'utf8',
})
if (made.status !== 0) throw new Error(`graphs/demo/tab-clips.json: ${made.stderr}${made.stdout}`)
rmSync(join(root, 'dist/web-clips-run'), { recursive: true, force: true })

const plot = read('node_modules/uplot/dist/uPlot.min.css')
writeFileSync(
  join(out, 'style.css'),
  `${plot}${read('engine/view/page/style.css')}${read('engine/cli/web/style.css')}`,
)

const scriptOf = name => `<script type="module" src="${name}.js"></script>`
const pages = {
  index: [
    'flow in a browser tab',
    'A small video model thinks and learns in this tab.',
    read('engine/cli/web/index-body.html'),
  ],
  ask: [
    'Ask a model about a clip',
    'Drop a clip, ask a question, watch a model think.',
    `Loading…${scriptOf('ask')}`,
  ],
  train: [
    'A model learns in this tab',
    'A video model is trained in this tab.',
    `Loading the model…${scriptOf('train')}`,
  ],
}
for (const [name, [title, description, body]] of Object.entries(pages)) {
  const parts = {
    '>title<': `>${title}<`,
    'content="description"': `content="${description}"`,
    '<!--body-->': body,
  }
  const text = Object.entries(parts).reduce(
    (text, [place, part]) => text.replace(place, () => part),
    read('engine/cli/web/page.html'),
  )
  writeFileSync(join(out, `${name}.html`), text)
}
console.log(
  'dist/web: index.html, ask.html and train.html; serve the folder with any web server, by https or on localhost',
)
