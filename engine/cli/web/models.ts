// Where page (a) finds its models: beside the page, in a folder of the visitor, or on the Hugging Face hub.
import { mount, mountFrom } from '@flow-graphs/flow/browser'
import { listFiles, modelInfo } from '@huggingface/hub'

/** Tells the visitor how far loading is. */
export type Say = (text: string) => void

export const modelFiles = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
]

/** Of a checkpoint's folder: its weights in safetensors, and the small files beside them. */
const isWanted = (path: string): boolean =>
  !path.includes('/') && /\.(safetensors|json|txt|jinja)$/.test(path)

let folders = 0
const newFolder = (): string => `/models/${++folders}`

/** The model that the page carries. */
export async function embeddedModel(): Promise<string> {
  const folder = newFolder()
  await mountFrom('model', modelFiles, folder)
  return folder
}

/** A folder that the visitor chose; its weights are read where they lie. */
export async function chosenModel(files: readonly File[]): Promise<string> {
  const folder = newFolder()
  const wanted = files.filter(file =>
    isWanted(file.webkitRelativePath.split('/').slice(1).join('/') || file.name),
  )
  if (!wanted.some(({ name }) => name === 'config.json'))
    throw new Error(
      'the folder must hold a checkpoint: config.json, *.safetensors, tokenizer.json; no config.json was found',
    )
  for (const file of wanted) await mount(`${folder}/${file.name}`, file)
  return folder
}

/**
 * A model of the hub, `OWNER/NAME` or `OWNER/NAME@REVISION`. Its files are kept in the origin's private file system (OPFS), by
 * commit, and are downloaded once; without a network the newest ones that are there are used.
 */
export async function hubModel(id: string, hubUrl: string, say: Say): Promise<string> {
  const [, name, revision = 'main'] = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(id.trim()) ?? []
  if (name === undefined) throw new Error(`${id}: must be OWNER/NAME of a model on the Hugging Face hub`)
  const kept = await folderOf(await navigator.storage.getDirectory(), [
    'flow-models',
    name.replace('/', '--'),
  ])
  const refs = await folderOf(kept, ['refs'])
  const ref = encodeURIComponent(revision)
  const commit = await modelInfo({ name, revision, hubUrl, additionalFields: ['sha'] }).then(
    ({ sha }) => sha,
    async error => {
      const known = await textIn(refs, ref)
      if (known === undefined) throw new Error(`${id}: the hub did not answer: ${error.message}`)
      say(`${id}: the hub did not answer; takes commit ${known.slice(0, 7)}, which is kept here`)
      return known
    },
  )
  const snapshot = await folderOf(kept, [commit])
  if ((await textIn(snapshot, completeMark)) === undefined) {
    await download({ name, commit, hubUrl, snapshot, say })
    await writeFile(snapshot, completeMark, new Blob(['all files are here']))
  }
  await writeFile(refs, ref, new Blob([commit]))
  const folder = newFolder()
  for await (const [path, handle] of snapshot.entries())
    if (handle.kind === 'file' && isWanted(path)) await mount(`${folder}/${path}`, await handle.getFile())
  return folder
}

/** A file of this name says that a commit's folder is whole. */
const completeMark = '.complete'

interface Download {
  name: string
  commit: string
  hubUrl: string
  snapshot: FileSystemDirectoryHandle
  say: Say
}

async function download({ name, commit, hubUrl, snapshot, say }: Download): Promise<void> {
  const wanted: { path: string; size: number }[] = []
  const repo = { type: 'model', name } as const
  for await (const { type, path, size } of listFiles({ repo, revision: commit, hubUrl }))
    if (type === 'file' && isWanted(path)) wanted.push({ path, size })
  for (const { path, size } of wanted) {
    if ((await sizeIn(snapshot, path)) === size) continue
    const url = `${hubUrl}/${name}/resolve/${commit}/${encodeURIComponent(path)}`
    const response = await fetch(url)
    if (!response.ok || !response.body) throw new Error(`${url}: ${response.status} ${response.statusText}`)
    let bytes = 0
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length
        say(`${name}/${path}: ${megabytes(bytes)} of ${megabytes(size)} MB`)
        controller.enqueue(chunk)
      },
    })
    const handle = await snapshot.getFileHandle(path, { create: true })
    // the file has its content when the stream ends, and not before
    await response.body.pipeThrough(count).pipeTo(await handle.createWritable())
    if (bytes !== size) throw new Error(`${url}: must have ${size} bytes, as the hub lists it, got ${bytes}`)
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

async function folderOf(
  root: FileSystemDirectoryHandle,
  names: readonly string[],
): Promise<FileSystemDirectoryHandle> {
  let folder = root
  for (const name of names) folder = await folder.getDirectoryHandle(name, { create: true })
  return folder
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  return folder.getFileHandle(name).then(
    handle => handle.getFile(),
    () => undefined, // not there
  )
}

const sizeIn = async (folder: FileSystemDirectoryHandle, name: string) => (await fileIn(folder, name))?.size
const textIn = async (folder: FileSystemDirectoryHandle, name: string) => (await fileIn(folder, name))?.text()

async function writeFile(folder: FileSystemDirectoryHandle, name: string, content: Blob): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true })
  const stream = await handle.createWritable()
  await stream.write(content)
  await stream.close()
}
