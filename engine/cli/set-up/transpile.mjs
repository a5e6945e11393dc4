// Makes what `npm start` runs out of the sources, each file for itself: types are removed, not checked, so it takes a few seconds
// where tsc takes a minute.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const folders = ['engine', 'operators', 'kernels']
/** Sources of pages, which have builds of their own. */
const pages = ['engine/view/page/', 'engine/cli/web/']

export async function transpile(root) {
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: root,
    entryPoints: folders.flatMap(folder => sourcesIn(root, folder)),
    outdir: 'dist',
    outbase: '.',
    bundle: true, // lets the plugin see what is imported; nothing is joined
    plugins: [{ name: 'imports', setup: onlyRename }],
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    logLevel: 'silent',
  })
}

const sourcesIn = (root, folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map(path => `${folder}/${path}`)
    .filter(path => path.endsWith('.ts') && !pages.some(page => path.startsWith(page)))

/** Imports stay imports; those of sources name what the sources become. */
function onlyRename({ onResolve }) {
  onResolve({ filter: /./ }, ({ kind, path }) =>
    kind === 'entry-point' ? undefined : { path: path.replace(/^(\..*)\.ts$/, '$1.js'), external: true },
  )
}
