// npm run web: the demonstration as static files in dist/web, which any server can give: it trains in the visitor's tab.
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { nodeModulesPolyfillPlugin } from 'esbuild-plugins-node-modules-polyfill'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const web = join(root, 'engine/cli/web')
const doors = {
  'node:fs': 'fs',
  'node:fs/promises': 'fs-promises',
  'node:child_process': 'nothing',
  'node:worker_threads': 'nothing',
  'node:vm': 'nothing',
  'node:os': 'os',
  'node:path': 'path',
  'node:util': 'util',
  webgpu: 'webgpu',
}

/** The parts of Node that a tab has not, or has in another way. */
const platform = {
  name: 'platform',
  setup(about) {
    about.onResolve({ filter: /^(node:|webgpu$)/ }, ({ path, importer }) => {
      const ours = !/node_modules|web.doors/.test(importer) && Object.hasOwn(doors, path)
      return ours ? { path: join(web, 'doors', `${doors[path]}.mjs`) } : undefined
    })
  },
}

const out = join(root, 'dist/web')
mkdirSync(join(out, 'model'), { recursive: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(web, 'train.tsx')],
  tsconfig: join(root, 'engine/cli/web/tsconfig.json'),
  outfile: join(out, 'train.js'),
  bundle: true,
  minify: process.argv[2] !== '--plain',
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  metafile: true,
  logLevel: 'warning',
  inject: [join(web, 'doors/globals.mjs')],
  define: { 'import.meta.url': '"file:///flow/flow.js"' },
  plugins: [
    platform,
    nodeModulesPolyfillPlugin({ globals: { process: true, Buffer: true }, fallback: 'empty' }),
  ],
})
cpSync(join(root, 'operators/shapes/cold-start'), join(out, 'model'), { recursive: true })
copyFileSync(join(root, 'graphs/grpo.json'), join(out, 'grpo.json'))
const plot = readFileSync(join(root, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8')
writeFileSync(
  join(out, 'style.css'),
  `${plot}${readFileSync(join(root, 'engine/view/page/style.css'), 'utf8')}`,
)
writeFileSync(
  join(out, 'index.html'),
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>flow in a tab</title><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"></head><body>Loading the model…<script type="module" src="train.js"></script></body></html>\n`,
)
const { bytes } = Object.entries(metafile.outputs).find(([name]) => name.endsWith('train.js'))[1]
console.log(`dist/web: ${Object.keys(metafile.inputs).length} modules, train.js has ${bytes} bytes`)
