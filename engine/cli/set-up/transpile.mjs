// Makes what `npm start` runs out of the sources, each file for itself: types are removed, not checked, so it takes a few seconds
// where tsc takes a minute.

/** Sources of pages, which have builds of their own. */
const pages = ['engine/view/page/', 'engine/cli/web/']

/** `paths` are those of all sources, from `root`. */
export async function transpile(root, paths) {
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: root,
    entryPoints: paths.filter(path => path.endsWith('.ts') && !pages.some(page => path.startsWith(page))),
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

/** Imports stay imports; those of sources name what the sources become. */
function onlyRename({ onResolve }) {
  onResolve({ filter: /./ }, ({ kind, path }) =>
    kind === 'entry-point' ? undefined : { path: path.replace(/^(\..*)\.ts$/, '$1.js'), external: true },
  )
}
