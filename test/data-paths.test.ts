// A path that data names is joined by engine/shared/inside.ts alone. All other joins with a name that the source does not
// spell out are listed here, each with the reason why data cannot choose it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { repository } from './fixtures.ts'

const reasons = {
  listed: 'names that a listing of the folder gave',
  spelled: 'names from a list in the source',
  hashed: 'a hash of what data says',
  numbered: 'a name with a number or a time',
  checked: 'a name of letters, digits, "-", "." and "_" that was checked before',
  graph: 'a graph file names it: a graph is a program',
  engine: 'the name of a file that flow itself gives',
} as const

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: pieces of sources.
const allowed: Readonly<Record<string, readonly [keyof typeof reasons, ...string[]]>> = {
  'engine/cli/basis.ts': ['listed', 'entry.name', 'name', 'runLockName'],
  'engine/cli/generate/presets-page.ts': ['listed', 'section', 'name', 'graph.extends'],
  'engine/cli/new-kernel.ts': [
    'checked',
    '`${name}${language.ending}`',
    '`${name}.test${language.ending}`',
    '`${name}.test.ts`',
    '`${name}.ts`',
    'room',
  ],
  'engine/cli/moved-plugins.ts': ['graph', 'name'],
  'engine/cli/new-module.ts': ['checked', 'file'],
  // the value that --set replaces, and that of --set: a path of the graph
  'engine/cli/moves.ts': ['graph', 'before', 'relative(dirname(from), path)', "rest.join('=')"],
  'engine/cli/past-run.ts': ['listed', 'name'],
  'engine/cli/plug.ts': ['graph', 'graph', 'name'],
  'engine/cli/run-facts.ts': ['listed', 'entry.name', 'name', 'newest'],
  'engine/cli/plugin-modules.ts': ['graph', 'home', 'name'],
  'engine/graph/code-place.ts': ['spelled', 'name', 'sep'],
  'engine/graph/plugin-load-fault.ts': ['graph', 'name'],
  'operators/model/checkpoint/refuse-other.ts': ['listed', 'name'],
  'operators/model/checkpoint/save-integers.ts': ['listed', 'name'],
  'engine/cli/learners.ts': ['numbered', 'String(rank + 1)'],
  'engine/cli/simulation/profile.ts': ['listed', 'name'],
  'engine/cli/verbs/replay.ts': ['listed', 'name', 'checkpoint'],
  'engine/cli/verbs/run.ts': ['numbered', "`${basename(file, '.json')}-${day}-${clock}`"],
  'engine/cli/verbs/view.ts': ['numbered', "`${basename(file, '.json')}-${time}`"],
  // paths of a run that are only said
  'engine/cli/run-words.ts': ['engine', 'path'],
  'engine/cli/start.ts': ['engine', 'row.video_filename', '`start-${number}`', 'name'],
  'engine/graph/file/extends.ts': ['graph', 'path', 'path.slice(shipped.length)'],
  'engine/graph/missing-file.ts': ['listed', 'nearest'],
  // the exports of the package itself
  'engine/graph/plugin-hooks.ts': ['engine', 'path'],
  'engine/graph/plugins.ts': ['graph', 'name', 'entry'],
  'engine/learners/learner.ts': ['engine', 'folder'],
  'engine/learners/shared-numbers.ts': ['numbered', "`flow-${randomBytes(8).toString('hex')}`"],
  'engine/over/copies.ts': ['listed', 'entry.name', "String(++this.#count).padStart(6, '0')"],
  'engine/over/follower.ts': ['numbered', 'String(++this.#count)', 'String(this.#count - 1)'],
  'engine/run/checkpoint/checkpoint.ts': ['checked', 'folderOf(part)', 'folder', 'flat'],
  'engine/run/checkpoint/folder.ts': [
    'listed',
    '`.partial-${name}`',
    '`damaged-${name}`',
    'below',
    'name',
    '`.old-${name}`',
    'entry.name',
  ],
  'engine/run/record/control.ts': ['spelled', 'request'],
  'engine/run/record/files.ts': ['engine', 'name'],
  'engine/run/record/journal.ts': ['checked', '`${name}.jsonl`'],
  'engine/run/record/manifest.ts': ['engine', 'dependency', 'file'],
  'engine/run/record/tap.ts': [
    'engine',
    '`${name}.ask`',
    '`${name}.jsonl`',
    '`${tapName(end)}.${type}`',
    '`${tapName(end)}.ask`',
    '`${tapName(end)}.jsonl`',
    'ask',
  ],
  'engine/run/record/tensorboard.ts': [
    'numbered',
    "`${fileStart}${String(seconds).padStart(10, '0')}.flow.${processes.id}`",
  ],
  'engine/shared/folder-lock.ts': ['engine', 'name'],
  'engine/shared/inside.ts': ['checked', 'name'],
  'engine/shared/replace-file.ts': ['engine', '`${partialPrefix}${randomUUID()}-${basename(path)}`'],
  'engine/view/run-reader.ts': ['listed', 'name'],
  'operators/builtin.ts': [
    'graph',
    '...rest',
    "`${name}-${hash.digest('hex').slice(0, 8)}`",
    'base',
    'recipes[name]',
    'shipped[name]',
  ],
  'operators/hub/fetch-repository.ts': ['checked', 'digest.hex'],
  'operators/hub/hub-cache.ts': ['checked', "`${type}s--${name.replace('/', '--')}`", 'commit'],
  'operators/model/feature-files.ts': ['hashed', '`${key}.f32`', 'name'],
  'operators/eval/question-sheets.ts': ['hashed', 'sheet'],
  'operators/eval/results/claims.ts': ['hashed', 'fileName(clip)'],
  'kernels/device/adapters/cards.ts': ['listed', 'name', 'place'],
  'kernels/device/adapters/search-paths.ts': ['listed', 'kind', 'name'],
  'operators/file-digests.ts': ['listed', 'digestOf([text, name])', 'name'],
  'operators/eval/results/opening.ts': ['listed', 'name'],
  'operators/eval/results/report-frame.ts': ['spelled', 'name'],
  'operators/eval/results/report.ts': ['spelled', 'name'],
  'operators/eval/results/store.ts': [
    'hashed',
    '`${fileName(repeat === 0 ? id : `${id}\\nrepeat ${repeat}`)}.json`',
    '`frames-${count}`',
    'name',
  ],
  'operators/files/archives.ts': ['listed', 'name'],
  'operators/files/unpack.ts': ['numbered', '`${ownMark}${process.pid}-${count++}`', 'name'],
  'operators/model/assemble.ts': ['listed', 'name'],
  'operators/model/checkpoint/new-checkpoint.ts': ['listed', 'name'],
  'operators/model/checkpoint/save-model.ts': ['listed', 'basename(file.path)', 'name'],
  'operators/model/checkpoint/write-shards.ts': ['numbered', 'name'],
  'operators/model/random.ts': ['spelled', 'name'],
  'operators/read/benchmark-folder.ts': ['listed', 'mark', 'name'],
  'operators/read/clips.ts': ['listed', 'entry.name'],
  'operators/read/downloaded-clips.ts': ['listed', 'entry.name'],
  'operators/read/egoschema.ts': ['spelled', 'name'],
  'operators/read/lvbench.ts': ['spelled', "files[0] ?? ''", 'name'],
  'operators/read/mlvu.ts': ['listed', 'file', 'folder', 'name'],
  'operators/read/mvbench.ts': ['spelled', '`${task}.json`'],
  'operators/read/nextqa.ts': ['spelled', '`${split}.csv`', 'name'],
  'operators/read/packed.ts': ['listed', "basename(first).split('.')[0] || '.'"],
  'operators/read/perceptiontest.ts': ['spelled', 'name', "tables[1] ?? ''"],
  'operators/read/tempcompass.ts': ['spelled', 'kind', 'name'],
  'operators/read/video-mme.ts': ['spelled', 'name'],
  'operators/read/vsi-bench.ts': ['spelled', 'name'],
  // a module that a graph names, and what it names itself
  'kernels/device/web-gpu-node.ts': ['graph', 'file'],
  'kernels/device/turn-line.ts': ['numbered', "`flow-turns-${randomBytes(8).toString('hex')}`"],
  'operators/video/contact-sheet.ts': ['numbered', "number++ === 0 ? 'frames.jpg' : `frames-${number}.jpg`"],
  'operators/video/frame-sheet.ts': ['hashed', 'path'],
  'operators/reward/program-fault.ts': ['graph', 'program'],
  'operators/video/picture-folder.ts': ['listed', 'large[0]', 'name'],
}
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: pieces of sources.

/** What is joined to a folder in a source, apart from names that the source spells out. */
function joinedIn(text: string): string[] {
  const tree = ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true)
  const constants = new Set<string>()
  const joined = new Set<string>()
  const look = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && ts.isStringLiteral(node.initializer))
      constants.add(node.name.getText())
    if (
      ts.isCallExpression(node) &&
      /^(posix\.|win32\.|path\.)?(join|resolve)$/.test(node.expression.getText())
    )
      for (const part of node.arguments.slice(1)) if (!ts.isStringLiteral(part)) joined.add(part.getText())
    ts.forEachChild(node, look)
  }
  if (/from '(node:path|[\w./]+platform\/paths\.ts)'/.test(text)) look(tree)
  return [...joined].filter(part => !constants.has(part))
}

const sources = ['engine', 'operators', 'kernels'].flatMap(folder =>
  readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`),
)

t.test('no path from data is joined without a check', async t => {
  for (const path of sources) {
    const found = joinedIn(readFileSync(join(repository, path), 'utf8')).sort()
    const [, ...listed] = allowed[path] ?? []
    t.same(found, listed.sort(), `${path}: join by inside(), or list it in test/data-paths.test.ts`)
  }
  for (const path of Object.keys(allowed)) t.ok(sources.includes(path), `${path} is there`)
})

t.test('the scan finds a join of a name that data gives', async t => {
  const head = "import { join } from 'node:path'\nconst fixed = 'a'\n"
  t.same(joinedIn(`${head}join(folder, 'a', fixed)`), [])
  t.same(joinedIn(`${head}join(folder, row.video)`), ['row.video'])
  const door = "import { join } from '../platform/paths.ts'\n"
  t.same(joinedIn(`${door}join(folder, name)`), ['name'], 'the door of the platform is one too')
  t.same(joinedIn("import { resolve } from 'node:path'\nresolve(folder, name)"), ['name'])
  t.same(joinedIn("names.join(', ', more)"), [], 'lists are joined too')
})
