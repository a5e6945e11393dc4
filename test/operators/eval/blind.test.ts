import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../../fixtures.ts'
import { dataOf, evaluate } from './evaluate.ts'

const model = [
  `data=${dataOf('video-mme')}`,
  `model=${fixture('tiny-bf16')}`,
  'maxNewTokens=8',
  'frames=4',
  'limit=6',
]

t.test('the blind control answers from the words alone', async t => {
  const folder = t.testdir()
  const outputs = async (name: string, ...set: string[]) => {
    const unsheeted = ['nodes.evaluation/watch.config.sheetWidth=0', ...set]
    const { results } = await evaluate('video-mme', join(folder, name), [...model, ...unsheeted])
    return results.map(({ output }) => output)
  }
  const blind = 'nodes.evaluation.params.visual=zero'
  const seen = await outputs('seen')
  const four = await outputs('four', blind)
  const padded = 'nodes.evaluation/watch.config.aspect=pad'
  t.same(await outputs('padded', blind, padded), four, 'other pixels are not seen')
  t.notSame(four, seen)
  t.same(await outputs('seen', blind), four, 'in a folder with other answers too')
})
