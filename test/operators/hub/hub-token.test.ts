import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readToken } from '../../../operators/hub/hub-token.ts'

t.test('a token comes from its variable, or from the file that a variable names', t => {
  const folder = t.testdir({ token: 'of a file\n', folder: {} })
  t.equal(readToken({ HF_TOKEN: ' stated ', HF_HOME: folder }), 'stated')
  t.equal(readToken({ HF_HOME: folder }), 'of a file')
  t.equal(readToken({ HF_HOME: join(folder, 'folder') }), undefined, 'there is none')
  writeFileSync(join(folder, 'other'), 'other')
  t.equal(readToken({ HF_HOME: folder, HF_TOKEN_PATH: join(folder, 'other') }), 'other')
  t.end()
})

t.test('a token that cannot be read names the variable and the file', t => {
  const path = t.testdir({})
  t.throws(() => readToken({ HF_TOKEN_PATH: path }), {
    code: 'EISDIR',
    message: `HF_TOKEN_PATH ${path}: must be a file with a token of the hub: a folder, where a file is needed (EISDIR): set HF_TOKEN to the token, or HF_TOKEN_PATH to its file`,
  })
  t.end()
})
