// What errors of the system mean, in words: Node says `ENOTDIR: not a directory, open 'x/y'`.

interface Meaning {
  /** Follows the path: `x/y: a part of this path is a file, not a folder`. */
  readonly found: string
  readonly remedy: string
}

const elsewhere = 'name another path'

const meanings: Readonly<Record<string, Meaning>> = {
  ENOENT: {
    found: 'no such file or folder',
    remedy: 'look at the path: it is seen from the working directory',
  },
  ENOTDIR: { found: 'a part of this path is a file, not a folder', remedy: elsewhere },
  EISDIR: { found: 'a folder, where a file is needed', remedy: 'name a file' },
  EACCES: {
    found: 'this user has no right to it',
    remedy: 'give yourself the right (ls -l shows who has it), or name another path',
  },
  EPERM: {
    found: 'the system does not let this user do it',
    remedy: 'give yourself the right (ls -l shows who has it), or name another path',
  },
  ELOOP: {
    found: 'its links lead in a circle',
    remedy: 'remove the link that leads back to itself, or name another path',
  },
  ENAMETOOLONG: { found: 'this name is too long for the file system', remedy: 'name a shorter path' },
  EROFS: { found: 'this file system can only be read', remedy: 'name a path on another disk' },
  ENOSPC: {
    found: 'no space is left on the disk',
    remedy: 'free space there, or name a path on another disk',
  },
  EDQUOT: {
    found: 'the space that this user may take on the disk is used up',
    remedy: 'free space there, or name a path on another disk',
  },
  EMFILE: { found: 'this process has too many files open', remedy: 'allow more: ulimit -n 65536' },
  ENFILE: {
    found: 'this machine has too many files open',
    remedy: 'end other programs, or allow more files',
  },
  EEXIST: { found: 'it is there already', remedy: 'name another path, or remove it first' },
  ENOTEMPTY: { found: 'the folder is not empty', remedy: 'name another path, or empty it first' },
  EBUSY: { found: 'something else uses it', remedy: 'end what uses it, or name another path' },
  EXDEV: { found: 'it lies on another disk', remedy: 'name a path on the same disk' },
  EIO: { found: 'the disk failed', remedy: 'look at the disk: dmesg says what failed' },
  ESTALE: { found: 'the network disk has lost it', remedy: 'mount the network disk again' },
  EINVAL: { found: 'the system does not do this there', remedy: elsewhere },
}

/** What to do about an error with a code of the system. */
export const remedyOfCode = (code: string): string | undefined =>
  Object.hasOwn(meanings, code) ? meanings[code]?.remedy : undefined

/** What an error of the system means, with its path and its code; undefined for any other error. */
export function systemFault(error: unknown): (Meaning & { readonly path: string }) | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  const { code } = error
  const path = 'path' in error && typeof error.path === 'string' ? error.path : ''
  // the path is that of the program
  if (code === 'ENOENT' && String(error.syscall).startsWith('spawn'))
    return { found: 'no such program (ENOENT)', remedy: 'install it, or give its path', path }
  const meaning = typeof code === 'string' && Object.hasOwn(meanings, code) ? meanings[code] : undefined
  if (!meaning) return undefined
  return { ...meaning, found: `${meaning.found} (${code})`, path }
}
