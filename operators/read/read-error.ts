import { CodedError } from '../../engine/shared/errors.ts'
/**
 * A data file that cannot be used; a line for each problem. Codes: `no-file`, `bad-question`, `no-questions`,
 * `bad-conversation`, `no-conversations`, `no-column`, `bad-columns`, `duplicate-id`, `bad-shard`, `packed`, `not-utf8`,
 * `too-large`, `other-form`.
 */
export class ReadError extends CodedError {
  override readonly remedy: string | undefined

  constructor(code: string, message: string, { remedy, cause }: { remedy?: string; cause?: unknown } = {}) {
    super(code, message, { cause })
    this.remedy = remedy ?? remedies[code]
  }
}

const remedies: Readonly<Record<string, string>> = {
  'no-file': 'give the path of a file that this process may read',
  'bad-question': 'mend these rows, or leave them out',
  'bad-conversation': 'mend these rows, or leave them out',
  'no-questions': 'name a file with rows in it',
  'no-conversations': 'name a file with rows in it',
  'no-column': 'name the columns of the file in the config',
  'bad-columns': 'write the names of columns, e.g. --set columns=\'{"question": "q"}\'',
  'no-clips': 'name a folder with clips in it',
  'duplicate-id': 'give each question an id of its own',
  'bad-shard': 'give a part of all, e.g. 1/4',
  'not-utf8': 'write the file in UTF-8',
  'too-large': 'divide the file, or name another one',
}
