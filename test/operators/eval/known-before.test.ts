// What is known of clips before the first question is said by `flow check` and by a run before it begins, and not at its end.
import { existsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { told } from '../../engine/cli/told.ts'
import { repository } from '../../fixtures.ts'
import { make } from '../video/clips.ts'

const row = (clip: string) => ({ video: clip, question: 'Which?', options: ['red', 'blue'], answer: 'B' })

const write = (folder: string, clips: readonly string[]) =>
  writeFileSync(join(folder, 'rows.jsonl'), clips.map(clip => JSON.stringify(row(clip))).join('\n'))

const own = (folder: string, ...set: string[]) => [
  join(repository, 'graphs/eval/own.json'),
  ...[`data=${join(folder, 'rows.jsonl')}`, 'answers=oracle', ...set].flatMap(one => ['--set', one]),
]

async function clips(folder: string): Promise<void> {
  for (const name of ['a.mp4', 'b.mp4'])
    await make(folder, `-f lavfi -i testsrc=duration=1:size=64x48:rate=4 -pix_fmt yuv420p @${name}`)
}

t.test('more missing and empty clips than are allowed are refused, with what allows them', async t => {
  const folder = t.testdir({ 'empty.mp4': '' })
  await clips(folder)
  write(folder, ['a.mp4', 'b.mp4', 'a.mp4', 'lost.mp4', 'b.mp4', 'empty.mp4', 'a.mp4'])
  const { code, complaints } = await told('check', ...own(folder))
  t.equal(code, 2)
  t.match(
    complaints,
    '2 of 7 questions could not be asked (1 clip-missing, 1 clip-damaged), more than failOnError=0.1 allows',
  )
  t.match(complaints, 'rows/4 (')
  const [, setting = ''] = /^ {4}fix: .* --set (\S+)$/m.exec(complaints) ?? []
  t.equal(setting, 'failOnError=0.29')
  const out = join(folder, 'run')
  const run = await told('run', ...own(folder), '--out', out)
  t.equal(run.code, 2)
  t.match(run.complaints, '2 of 7 questions could not be asked')
  t.notOk(existsSync(out))
  t.equal((await told('check', ...own(folder, setting))).code, 0)
  t.equal((await told('check', ...own(folder, 'limit=3'))).code, 0, 'only the questions that are asked')
  t.equal((await told('check', ...own(folder, 'limit=4'))).code, 0, 'one question may always fail')
})

t.test('a clip that is cut or no video counts where it cannot be asked about', async t => {
  const folder = t.testdir({ 'page.mp4': '<html>404</html>\n'.repeat(99) })
  await clips(folder)
  truncateSync(join(folder, 'b.mp4'), 900)
  write(folder, ['a.mp4', 'page.mp4', 'b.mp4'])
  const { code, complaints } = await told('check', ...own(folder))
  t.equal(code, 2)
  t.match(complaints, '2 of 3 questions could not be asked (2 clip-damaged)')
})

t.test('without any clip the folder is the fault, whatever is allowed', async t => {
  const folder = t.testdir({})
  write(folder, ['x.mp4', 'y.mp4'])
  const { code, complaints } = await told('check', ...own(folder, 'failOnError=1'))
  t.equal(code, 2)
  t.match(complaints, 'no clip could be seen (2 clip-missing)')
  t.match(complaints, /^ {4}fix: {2}put these clips in place, or name the folder that holds them$/m)
})

t.test(
  'a question without an answer among others is refused by its line, with the field that is meant',
  async t => {
    const folder = t.testdir({})
    await clips(folder)
    const { answer, ...open } = row('b.mp4')
    const rows = [row('a.mp4'), { ...open, asnwer: answer }, row('a.mp4'), { ...open, answer: null }]
    writeFileSync(join(folder, 'rows.jsonl'), rows.map(one => JSON.stringify(one)).join('\n'))
    const { code, complaints } = await told('check', ...own(folder))
    t.equal(code, 2)
    t.match(complaints, '2 of 4 questions have no right answer: any answer of the model to it would count')
    t.match(complaints, 'rows.jsonl:2: has no answer; is "asnwer" meant as its answer?')
    t.match(complaints, /rows\.jsonl:4: has no answer( \[|$)/m)
    t.match(complaints, /^ {4}fix: {2}fill "answer" in these rows, or leave them out$/m)
    t.equal((await told('run', ...own(folder), '--out', join(folder, 'run'))).code, 2)
    writeFileSync(join(folder, 'rows.jsonl'), [open, open].map(one => JSON.stringify(one)).join('\n'))
    const none = await told('check', ...own(folder))
    t.equal(none.code, 0, 'a file without any answer is asked for its answers')
    t.match(none.text, '2 unwinnable (no right answer to compare with: whatever')
  },
)
