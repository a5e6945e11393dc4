import { useState } from 'preact/hooks'
import { number } from '../../shared/number.ts'
import type { Entry } from '../messages.ts'
import { completionOf, cutAtPhrases, type Group, tokensOf } from './groups.ts'
import { numberIn, type RunData, type Source, textOf } from './store.ts'

type Colouring = 'none' | 'logProbabilities' | 'kl'

interface CardOptions {
  group: Group
  run: RunData
  source: Source
  /** Completions that are shown; default all. */
  most?: number
}

/** What a strong colour says of a token. */
const meanings: Readonly<Record<Colouring, string>> = {
  none: '',
  logProbabilities: 'The stronger the colour, the less likely the token.',
  kl: 'The stronger the colour, the further from the reference.',
}

/** One prompt: what the model saw, what it was asked, and what it wrote, side by side. */
export function GroupCard({ group, run, source, most = Number.POSITIVE_INFINITY }: CardOptions) {
  const [colouring, setColouring] = useState<Colouring>('none')
  const hasTokens = group.entries.some(entry => tokensOf(run, entry))
  const rewards = group.entries.flatMap(entry => numberIn(entry, 'reward') ?? [])
  // of equal rewards none is the best
  const best = Math.max(...rewards) > Math.min(...rewards) ? Math.max(...rewards) : undefined
  return (
    <article class="group">
      {group.frames && (
        <img class="frames" alt="Frames that the model saw" src={source.picture(run.id, group.frames)} />
      )}
      <p class="question">{group.question}</p>
      <p class="soft">
        {group.step !== undefined && `update ${group.step} · `}
        {group.solution && `right answer: ${group.solution.replace(/<\/?answer>/g, '').trim()}`}
        {group.reward !== undefined && ` · mean reward ${number(group.reward)}`}
        {best !== undefined && ' · green frame: the highest reward'}
      </p>
      {hasTokens && (
        <label class="soft">
          Colour of tokens{' '}
          <select value={colouring} onChange={event => setColouring(event.currentTarget.value as Colouring)}>
            <option value="none">none</option>
            <option value="logProbabilities">log-probability</option>
            <option value="kl">KL from the reference</option>
          </select>{' '}
          {meanings[colouring]}
        </label>
      )}
      <div class="completions">
        {group.entries.slice(0, most).map((entry, i) => (
          <CompletionCard
            key={i}
            entry={entry}
            tokens={tokensOf(run, entry)}
            colouring={colouring}
            best={best !== undefined && numberIn(entry, 'reward') === best}
          />
        ))}
      </div>
      {group.entries.length > most && (
        <p class="soft">
          <a href="#completions">{group.entries.length - most} more completions of this prompt</a>
        </p>
      )}
    </article>
  )
}

interface CompletionOptions {
  entry: Entry
  tokens: Entry | undefined
  colouring: Colouring
  best: boolean
}

function CompletionCard({ entry, tokens, colouring, best }: CompletionOptions) {
  const reward = numberIn(entry, 'reward')
  const advantage = numberIn(entry, 'advantage')
  const { rewards, outcome, chosen } = entry
  const parts = Object.entries(typeof rewards === 'object' && rewards !== null ? rewards : {})
  return (
    <div
      class={`completion${best ? ' best' : ''}`}
      title={best ? 'the highest reward of its group' : undefined}
    >
      <p class="scores">
        {reward !== undefined && <b class={reward > 0 ? 'good' : 'bad'}>reward {number(reward)}</b>}
        {typeof outcome === 'string' && <b class={outcome === 'right' ? 'good' : 'bad'}>{outcome}</b>}
        {typeof chosen === 'string' && <span>said {chosen}</span>}
        {parts.map(([name, value]) => (
          <span key={name}>
            {name} {typeof value === 'number' ? number(value) : '–'}
          </span>
        ))}
        {advantage !== undefined && (
          <span title="(reward − mean of the group) / deviation">advantage {signed(advantage)}</span>
        )}
        {entry.finished === false && <span class="bad">cut at the length limit</span>}
      </p>
      {colouring !== 'none' && Array.isArray(tokens?.pieces) ? (
        <Tokens pieces={tokens.pieces} values={tokens[colouring]} colouring={colouring} />
      ) : (
        <p class="text">
          {cutAtPhrases(completionOf(entry)).map((piece, i) =>
            i % 2 === 1 ? (
              <mark key={i} title="A second thought">
                {piece}
              </mark>
            ) : (
              piece
            ),
          )}
        </p>
      )}
    </div>
  )
}

/** Each token on a ground that is the stronger the less likely it was, or the further from the reference. */
function Tokens({ pieces, values, colouring }: { pieces: unknown[]; values: unknown; colouring: Colouring }) {
  const numbers = Array.isArray(values) ? values : []
  return (
    <p class="text">
      {pieces.map((piece, i) => {
        const value = typeof numbers[i] === 'number' ? numbers[i] : undefined
        const strength = value === undefined ? 0 : colouring === 'kl' ? Math.abs(value) * 10 : -value / 4
        return (
          <span
            key={i}
            class={`token ${colouring}`}
            style={{ '--strength': `${Math.round(Math.min(1, strength) * 80)}%` }}
            title={value === undefined ? '' : String(value)}
          >
            {textOf(piece)}
          </span>
        )
      })}
    </p>
  )
}

const signed = (value: number): string => `${value > 0 ? '+' : ''}${number(Number(value.toFixed(2)))}`
