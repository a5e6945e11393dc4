import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { repository } from '../../fixtures.ts'

export interface Result {
  status: number | null
  output: string
}

export interface Missing {
  what: string
  why: string
  commands: string[]
}

export interface Machine {
  root: string
  env: Record<string, string>
  environment: Record<string, string>
  platform: string
  isRoot: boolean
  release: { apt: boolean; id: string; codename: string }
  exists(path: string): boolean
  say(line: string): void
  write(path: string, text: string): Promise<void>
  run(command: string, args: string[], options?: { cwd?: string; deadlineSeconds?: number }): Promise<Result>
}

export type Step = (machine: Machine) => Promise<Missing | undefined>

// Set-up runs before anything is compiled, so it is JavaScript, and its types are stated here.
const load = (name: string) => import(pathToFileURL(join(repository, 'engine/cli/set-up', name)).href)
export const setUp: {
  setUp(machine: Machine, steps: { install: Step[]; build: Step }): Promise<void>
  packagesAndFfmpeg: Step
  checkNode(version: string): void
} = await load('set-up.mjs')
type Found = (machine: Machine) => Promise<string>

export const { ffmpeg, ffmpegFound }: { ffmpeg: Step; ffmpegFound: Found } = await load('ffmpeg.mjs')
export const { vulkan, adapterFound }: { vulkan: Step; adapterFound: Found } = await load('vulkan.mjs')
export const {
  packages,
  satisfies,
}: {
  packages: Step
  satisfies(wanted: Record<string, object>, installed: Record<string, object>): boolean
} = await load('packages.mjs')
export const build: {
  build(machine: Machine, how?: { quick: boolean }): Promise<void>
  fingerprint(root: string): string
  removeStale(root: string): void
} = await load('build.mjs')
export const {
  openMachine,
  parseRelease,
}: {
  openMachine(root: string): Machine
  parseRelease(text: string): { id: string; codename: string }
} = await load('machine.mjs')

export const ok: Result = { status: 0, output: '' }
export const failed: Result = { status: 1, output: 'it broke' }
export const bookworm = { apt: true, id: 'debian', codename: 'bookworm' }

/** A machine on which `answer` says how each command ends; what it was asked and told is kept. */
export function fake(answer: (command: string) => Result, parts: Partial<Machine> = {}) {
  const commands: string[] = []
  const lines: string[] = []
  const written = new Map<string, string>()
  const machine: Machine = {
    root: '/package',
    env: {},
    environment: {},
    platform: 'linux',
    isRoot: true,
    release: bookworm,
    exists: path => path.endsWith('node_modules/webgpu'),
    say: line => lines.push(line),
    write: async (path, text) => {
      written.set(path, text)
    },
    run: async (command, args) => {
      const text = [command.replace(process.execPath, 'node'), ...args].join(' ')
      commands.push(text)
      return answer(text)
    },
    ...parts,
  }
  return {
    machine,
    commands,
    lines,
    written,
    ran: (part: string) => commands.some(text => text.includes(part)),
  }
}
