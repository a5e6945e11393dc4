import { firstValueFrom, from, toArray } from 'rxjs'
import t from 'tap'
import type { Context } from '../../../engine/operator.ts'
import texts from '../../../operators/group/texts.ts'
import type { Group, Prompt } from '../../../operators/kinds.ts'
import { plainContext } from '../context.ts'
import { groupOf } from '../group.ts'

const promptWith = (fields: Prompt['sample']['fields']): Prompt => {
  const { prompt } = groupOf([])
  return { ...prompt, sample: { ...prompt.sample, fields } }
}

/** A tokenizer that gives each letter its code; 0 ends a text. */
const model = {
  tokenizer: { encode: (text: string) => [...text].map(letter => letter.codePointAt(0)) },
  config: { eosIds: [0, 99] },
  version: 7,
}
const config = { model: 'model', fields: ['chosen', 'rejected'] }

async function groupsOf(prompts: readonly Prompt[]): Promise<Group[]> {
  // the cast: group.texts asks for one resource, and this is all that it uses of it
  const context = { ...plainContext, resource: () => model } as Context
  const item = (value: Prompt) => {
    const made = { value, key: 'row 3', seed: 1, bytes: 0, release: () => {} }
    return { ...made, derive: (next: unknown) => ({ ...made, value: next, derive: () => unused() }) }
  }
  const unused = () => {
    throw new Error('nothing is derived from a group here')
  }
  const { groups } = texts.run({ prompts: from(prompts.map(item)) as never }, config, context)
  if (!groups) throw new Error('group.texts has the output groups')
  const items = await firstValueFrom(groups.pipe(toArray()))
  return items.map(({ value }) => value as Group)
}

t.test('the texts of a row become a group, the first with the highest reward, each with an end', async t => {
  const [group] = await groupsOf([promptWith({ chosen: 'AB', rejected: 'C', other: 1 })])
  t.same(
    group?.completions.map(({ ids, text, reward, finished }) => ({ ids, text, reward, finished })),
    [
      { ids: [65, 66, 0], text: 'AB', reward: 1, finished: true },
      { ids: [67, 0], text: 'C', reward: 0, finished: true },
    ],
  )
  t.equal(group?.policyVersion, 7)
})

for (const [what, fields, found] of [
  ['a row without one of the texts', { chosen: 'A' }, 'found nothing'],
  ['a text that is a number', { chosen: 'A', rejected: 3 }, 'found 3'],
  ['an empty text', { chosen: '', rejected: 'B' }, 'found ""'],
] as const)
  t.test(`${what} is an error that names the sample and the field`, async t => {
    await t.rejects(groupsOf([promptWith(fields)]), {
      code: 'missing-text',
      message: new RegExp(`sample row 3: its field "(chosen|rejected)" must be a text, ${found}`),
    })
  })
