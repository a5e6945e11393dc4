import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { randomOf } from '../engine/run/random-graph.ts'
import { powerCuts } from './power-cut.ts'
import { afterCut, readTrace } from './traced-disk.ts'

t.setTimeout(800_000)

const hex = (text: string) =>
  `"${[...Buffer.from(text)].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`

t.test('what was not synced may be lost in a power cut, what was synced is there', async t => {
  const lines = [
    `1 openat(AT_FDCWD</>, ${hex('/r/a')}, O_WRONLY|O_CREAT) = 5</r/a>`,
    `1 write(5</r/a>, ${hex('whole')}, 5 <unfinished ...>`,
    '1 <... write resumed>) = 5',
    '1 fsync(5</r/a>) = 0',
    `1 rename(${hex('/r/a')}, ${hex('/r/b')}) = 0`,
    '1 fsync(6</r>) = 0',
    `1 openat(AT_FDCWD</>, ${hex('/r/c')}, O_WRONLY|O_CREAT) = 5</r/c>`,
    `1 write(5</r/c>, ${hex('text')}, 4) = 4`,
  ]
  const disk = readTrace(lines, '/r')
  const root = mkdtempSync(join(tmpdir(), 'flow-cut-'))
  const found = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const folder = join(root, String(seed))
    afterCut(disk, disk.steps.length, folder, randomOf(seed))
    t.equal(readFileSync(join(folder, 'b'), 'utf8'), 'whole')
    t.notOk(existsSync(join(folder, 'a')), 'the rename was synced')
    found.add(existsSync(join(folder, 'c')) ? readFileSync(join(folder, 'c'), 'utf8') : 'lost')
  }
  t.strictSame([...found].sort(), ['', 'lost', 'te', 'text'])
})

const noStrace = spawnSync('strace', ['-V']).error !== undefined && 'strace is not installed'
t.test('a training goes on after each of 10 power cuts', { skip: noStrace }, async t => {
  const { ends, faults } = await powerCuts({ cuts: 10, resumes: 1, seed: 9 })
  t.strictSame(faults, [])
  t.ok(ends.older > 0, JSON.stringify(ends))
})
