// npm run house: the rules of the tree. Prints what breaks one, and exits 1 if anything does.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { repository } from './fixtures.ts'

const longestFile = 300
const longestFunction = 100
const longestPreset = 40
/** Folders in which every element access is checked. */
export const checkedFolders: readonly string[] = ['engine', 'operators']

/** A rule that is broken, and where. */
export interface Fault {
  rule: string
  where: string
}

/** Everything in the tree of `root` that breaks a rule. */
export function faultsOfTree(root: string): Fault[] {
  const sources = readSources(root)
  const imports = new Map(sources.map(source => [source.path, importsOf(source)]))
  return [
    ...circlesOf(imports).map(where => ({ rule: 'import circle', where })),
    ...[...imports].flatMap(([path, targets]) => brokenRules(path, targets)),
    ...circlesOf(operatorFolders(imports)).map(where => ({ rule: 'folders of operators in a loop', where })),
    ...sources.flatMap(longParts),
    ...nodeInTab(root, sources),
    ...longPresets(root),
  ]
}

/** Element accesses in the folders that may give undefined, as `noUncheckedIndexedAccess` finds them. */
export function uncheckedAccesses(root: string, folders: readonly string[]): Fault[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const files = folders.flatMap(folder => filesIn(root, folder)).filter(path => path.endsWith('.ts'))
  const program = ts.createProgram(
    files.map(path => join(root, path)),
    { ...options, noUncheckedIndexedAccess: true, noEmit: true, incremental: false },
  )
  return ts.getPreEmitDiagnostics(program).flatMap(({ file, start, messageText }) => {
    const path = file && relative(root, file.fileName)
    if (!path || !folders.some(folder => path.startsWith(`${folder}/`))) return []
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0)
    const text = ts.flattenDiagnosticMessageText(messageText, ' ')
    return [{ rule: 'unchecked access', where: `${path}:${line + 1}: ${text}` }]
  })
}

interface Source {
  path: string
  text: string
  tree: ts.SourceFile
}

function readSources(root: string): Source[] {
  return ['engine', 'operators', 'kernels', 'test']
    .flatMap(folder => filesIn(root, folder))
    .filter(path => /\.(ts|mjs)$/.test(path))
    .map(path => {
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
    })
}

function filesIn(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

/** Paths of the files that a file imports or re-exports, types included. */
function importsOf({ path, text }: Source): string[] {
  return ts
    .preProcessFile(text)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => normalize(join(dirname(path), fileName)))
}

/** Where the files start that a browser tab runs. */
const tabEntry = 'operators/browser.ts'

/** Files that the browser build takes in and that import a module of Node, which no browser has. */
function nodeInTab(root: string, sources: readonly Source[]): Fault[] {
  const doors = doorsOf(root)
  const byPath = new Map(sources.map(source => [source.path, source]))
  const seen = new Set<string>()
  const visit = (path: string): Fault[] => {
    const source = byPath.get(path)
    if (!source || seen.has(path)) return []
    seen.add(path)
    return valueImports(source).flatMap(name => {
      if (name.startsWith('.')) return visit(normalize(join(dirname(path), name)))
      if (name.startsWith('#')) return visit(doors[name] ?? '')
      const rule = 'a module of Node in what a browser tab runs'
      return name.startsWith('node:') ? [{ rule, where: `${path} imports ${name}` }] : []
    })
  }
  return visit(tabEntry)
}

/** What a browser gets for the names of `imports` in package.json. */
function doorsOf(root: string): Record<string, string> {
  const path = join(root, 'package.json')
  const { imports = {} }: { imports?: Record<string, { browser: string }> } = existsSync(path)
    ? JSON.parse(readFileSync(path, 'utf8'))
    : {}
  const sourceOf = (built: string) => built.replace('./dist/', '').replace(/\.js$/, '.ts')
  return Object.fromEntries(Object.entries(imports).map(([name, { browser }]) => [name, sourceOf(browser)]))
}

/** The modules that are still imported when the types are gone. */
function valueImports({ tree }: Source): string[] {
  return tree.statements.flatMap(statement => {
    if (ts.isExportDeclaration(statement))
      return statement.isTypeOnly || !statement.moduleSpecifier ? [] : [nameOf(statement.moduleSpecifier)]
    if (!ts.isImportDeclaration(statement)) return []
    const { importClause, moduleSpecifier } = statement
    const names = importClause?.namedBindings
    const onlyTypes =
      names && ts.isNamedImports(names) && !importClause.name && names.elements.every(one => one.isTypeOnly)
    return importClause?.isTypeOnly || onlyTypes ? [] : [nameOf(moduleSpecifier)]
  })
}

const nameOf = (specifier: ts.Expression): string => (ts.isStringLiteral(specifier) ? specifier.text : '')

/** For the files under the first path: the paths that they may not import. The first rule that fits a file counts. */
const forbiddenImports: readonly (readonly [string, readonly string[]])[] = [
  ['engine/cli/verbs/', ['engine/cli/verbs/']],
  ['engine/cli/', []],
  ['engine/platform/', ['engine/(?!platform/)', 'operators/', 'kernels/']],
  ['engine/shared/', ['engine/(?!shared/|platform/)', 'operators/', 'kernels/']],
  ['engine/', ['operators/', 'kernels/']],
  ['kernels/', ['engine/', 'operators/']],
]

function brokenRules(path: string, targets: readonly string[]): Fault[] {
  const [, forbidden = []] = forbiddenImports.find(([folder]) => path.startsWith(folder)) ?? []
  return targets
    .filter(target => forbidden.some(folder => new RegExp(`^${folder}`).test(target)))
    .map(target => ({ rule: 'import in the wrong direction', where: `${path} imports ${target}` }))
}

/** Which folders inside operators/ each of them imports. */
function operatorFolders(imports: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const folderOf = (path: string) => /^(operators\/[^/]+)\//.exec(path)?.[1]
  const folders = new Map<string, string[]>()
  for (const [path, targets] of imports) {
    const from = folderOf(path)
    if (!from) continue
    const others = targets.map(folderOf).filter(folder => folder !== undefined && folder !== from)
    folders.set(from, [...(folders.get(from) ?? []), ...(others as string[])])
  }
  return folders
}

/** Each strongly connected set of more than one name, as one line (Tarjan 1972). */
export function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[] = []
  const visit = (name: string): number => {
    index.set(name, index.size)
    let lowest = index.size - 1
    stack.push(name)
    for (const next of edges.get(name) ?? []) {
      if (next === name) circles.push(`${name} -> itself`)
      else if (!index.has(next)) lowest = Math.min(lowest, visit(next))
      else if (stack.includes(next)) lowest = Math.min(lowest, index.get(next) ?? lowest)
    }
    low.set(name, lowest)
    if (lowest === index.get(name)) {
      const set = stack.splice(stack.indexOf(name))
      if (set.length > 1) circles.push(set.sort().join(' <-> '))
    }
    return lowest
  }
  for (const name of edges.keys()) if (!index.has(name)) visit(name)
  return circles
}

function longParts({ path, text, tree }: Source): Fault[] {
  const faults: Fault[] = []
  const lines = text.trimEnd().split('\n').length
  if (lines > longestFile) faults.push({ rule: `file over ${longestFile} lines`, where: `${path}: ${lines}` })
  const look = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
      const last = tree.getLineAndCharacterOfPosition(node.end).line + 1
      if (last - first + 1 > longestFunction)
        faults.push({
          rule: `function over ${longestFunction} lines`,
          where: `${path}:${first}: ${last - first + 1}`,
        })
    }
    ts.forEachChild(node, look)
  }
  look(tree)
  return faults
}

/** Presets, controls and benchmark graphs say only what they change. */
function longPresets(root: string): Fault[] {
  return ['graphs/presets', 'graphs/controls', 'graphs/eval', 'graphs/examples']
    .flatMap(folder => filesIn(root, folder))
    .filter(path => path.endsWith('.json'))
    .map(path => ({ path, lines: readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > longestPreset)
    .map(({ path, lines }) => ({ rule: `preset over ${longestPreset} lines`, where: `${path}: ${lines}` }))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const faults = [...faultsOfTree(repository), ...uncheckedAccesses(repository, checkedFolders)]
  for (const { rule, where } of faults) console.log(`${rule}: ${where}`)
  console.log(faults.length === 0 ? 'the house is in order' : `${faults.length} faults`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
