/// <reference types="node" preserve="true" />
import { platform } from '#platform'

export type { Stats } from 'node:fs'
export type { FileHandle } from 'node:fs/promises'

/** The bytes that files give and take. */
export const { Buffer } = platform
export type Buffer = globalThis.Buffer

export const {
  appendFileSync,
  closeSync,
  copyFile,
  createReadStream,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdir,
  mkdirSync,
  mkdtemp,
  open,
  openSync,
  readdir,
  readdirSync,
  readFile,
  readFileSync,
  readSync,
  realpathSync,
  rename,
  renameSync,
  rm,
  rmSync,
  stat,
  statSync,
  symlink,
  truncateSync,
  writeFile,
  writeFileSync,
  writeSync,
} = platform.files
