// The files of a tab: in memory.
import { fs } from 'memfs'

// the folder of this package, which modules look for as they are read
fs.mkdirSync('/flow', { recursive: true })
fs.writeFileSync('/flow/package.json', '{"name":"flow"}')

export default fs
export const {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  promises,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  watch,
  writeFileSync,
  writeSync,
} = fs
export const statfs = fs.statfs
