import { type ConfigFields, shown } from './config-fields.ts'
import type { TokenIds } from './model-config.ts'

/** The ids that end an answer and the one that pads, of a configuration and its `text_config`. */
export function parseTokenIds(
  fields: ConfigFields,
  text: ConfigFields,
  vocabulary: number,
  tokens: TokenIds,
): { eosIds: number[]; padId: number } {
  const stored = text.raw('eos_token_id') ?? tokens.eosId
  const eosIds: unknown[] = Array.isArray(stored) ? stored : [stored]
  for (const id of tokens.endIds ?? []) if (!eosIds.includes(id)) eosIds.push(id)
  const padText = fields.text('pad_token', '')
  const padId = fields.raw('pad_token_id') ?? tokens.idOf(padText) ?? eosIds[0]
  const isId = (id: unknown): id is number =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) < vocabulary
  if (!eosIds.every(isId) || eosIds.length === 0) {
    text.problem(
      'eos_token_id',
      `must be ids below ${vocabulary}, got ${shown(eosIds.length === 1 ? eosIds[0] : eosIds)}`,
    )
  }
  const { last } = tokens
  if (last && !isId(last.id)) {
    const rule = `must be more than every id of the tokenizer, but ${shown(last.token)} has ${last.id}`
    text.problem('vocab_size', `${rule}; got ${vocabulary}`)
  }
  if (!isId(padId)) fields.problem('pad_token_id', `must be an id below ${vocabulary}, got ${shown(padId)}`)
  return { eosIds: eosIds.filter(isId), padId: isId(padId) ? padId : 0 }
}
