import { useEffect, useRef, useState } from 'preact/hooks'
import { number } from '../../shared/number.ts'
import type { Shown } from './app.tsx'
import { colourOf } from './colours.ts'
import { GroupCard } from './group-card.tsx'
import { completionOf, type Group, groupsOf, hasPhrase, sameQuestion } from './groups.ts'
import { numberIn, type RunData } from './store.ts'
import { VirtualList } from './virtual-list.tsx'

const rowHeight = 58

/** A group with the run that it is of. */
interface Row {
  run: RunData
  index: number
  group: Group
}

type Filter = (group: Group) => boolean

const rewardsOf = ({ entries }: Group) => entries.flatMap(entry => numberIn(entry, 'reward') ?? [])
const isRight = ({ entries }: Group) =>
  entries.some(e => (numberIn(e, 'reward') ?? 0) > 0 || e.outcome === 'right')

const filters: Readonly<Record<string, Filter>> = {
  all: () => true,
  'with a right answer': isRight,
  'without a right answer': group => !isRight(group),
  'different rewards': group => new Set(rewardsOf(group)).size > 1,
  'cut at the limit': ({ entries }) => entries.some(({ finished }) => finished === false),
  'second thoughts': ({ entries }) => entries.some(entry => hasPhrase(completionOf(entry))),
}

const orders: Readonly<Record<string, (a: Row, b: Row) => number>> = {
  newest: () => 0,
  'highest reward': (a, b) => (b.group.reward ?? 0) - (a.group.reward ?? 0),
  'lowest reward': (a, b) => (a.group.reward ?? 0) - (b.group.reward ?? 0),
  'largest spread': (a, b) => spreadOf(b.group) - spreadOf(a.group),
}

const spreadOf = (group: Group) => {
  const rewards = rewardsOf(group)
  return rewards.length === 0 ? 0 : Math.max(...rewards) - Math.min(...rewards)
}

/** Every group of completions: a list to search, and the chosen group beside it. */
export function Completions({ store, source }: Shown) {
  const runs = [...store.runs.values()]
  const [search, setSearch] = useState('')
  const [filter, setFilter] = useState('all')
  const [order, setOrder] = useState('newest')
  const [chosen, setChosen] = useState<string | undefined>()
  const field = useRef<HTMLInputElement>(null)
  const rows = rowsOf(runs, search, filters[filter] ?? (() => true), order)
  const place = Math.max(
    0,
    rows.findIndex(row => idOf(row) === chosen),
  )
  const row = rows[place]
  useKeys(field, step => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, place + step))]
    if (next) setChosen(idOf(next))
  })
  const all = runs.reduce((sum, run) => sum + groupsOf(run).length, 0)
  return (
    <div class="split browser">
      <section>
        <p class="filters">
          <input
            ref={field}
            type="search"
            placeholder="Search ( / )"
            value={search}
            onInput={event => setSearch(event.currentTarget.value)}
            aria-label="Search questions and completions"
          />
          <Choice label="Show" value={filter} among={Object.keys(filters)} onChoose={setFilter} />
          <Choice label="Order" value={order} among={Object.keys(orders)} onChoose={setOrder} />
        </p>
        <p class="soft" role="status">
          {rows.length} of {all} groups<span class="keys">; keys j and k go down and up</span>
          {runs
            .map(({ leftOut }) => leftOut.get('samples'))
            .filter(Boolean)
            .map(text => `; ${text} are left out`)}
        </p>
        <p class="soft">
          {runs.some(({ streams }) => streams.has('results')) ? (
            <>
              <i class="mark good" /> a right answer, <i class="mark bad" /> any other.
            </>
          ) : (
            <>
              <i class="mark good" /> a completion with a reward above 0, <i class="mark bad" /> one with 0 or
              less. At the left the update, at the right the mean reward.
            </>
          )}
        </p>
        <VirtualList
          items={rows}
          rowHeight={rowHeight}
          chosen={place}
          row={(one, i) => (
            <RowLine
              key={idOf(one)}
              row={one}
              chosen={i === place}
              many={runs.length > 1}
              onChoose={() => setChosen(idOf(one))}
            />
          )}
        />
      </section>
      <section class="detail">
        {row ? (
          <>
            <GroupCard key={idOf(row)} group={row.group} run={row.run} source={source} />
            <OverTheRun row={row} onChoose={group => setChosen(idOf({ ...row, group }))} />
          </>
        ) : (
          <p class="soft">{all === 0 ? 'No completion yet.' : 'No group is as you ask.'}</p>
        )}
      </section>
    </div>
  )
}

const idOf = ({ index, group }: Row): string => `${index} ${group.id}`

function rowsOf(runs: readonly RunData[], search: string, filter: Filter, order: string): Row[] {
  const wanted = search.toLowerCase()
  const has = ({ question, entries }: Group) =>
    question.toLowerCase().includes(wanted) ||
    entries.some(entry => completionOf(entry).toLowerCase().includes(wanted))
  const rows = runs.flatMap((run, index) =>
    groupsOf(run)
      .filter(group => filter(group) && (wanted === '' || has(group)))
      .map(group => ({ run, index, group })),
  )
  return rows.reverse().sort(orders[order])
}

function useKeys(field: { current: HTMLInputElement | null }, go: (step: number) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.target instanceof Element && event.target.closest('input, select, textarea')) return
      if (event.key === 'j') go(1)
      else if (event.key === 'k') go(-1)
      else if (event.key === '/') {
        event.preventDefault()
        field.current?.focus()
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })
}

interface ChoiceOptions {
  label: string
  value: string
  among: readonly string[]
  onChoose: (value: string) => void
}

function Choice({ label, value, among, onChoose }: ChoiceOptions) {
  return (
    <label class="soft">
      {label}{' '}
      <select value={value} onChange={event => onChoose(event.currentTarget.value)}>
        {among.map(name => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  )
}

interface RowOptions {
  row: Row
  chosen: boolean
  many: boolean
  onChoose: () => void
}

function RowLine({ row: { group, index }, chosen, many, onChoose }: RowOptions) {
  return (
    <button type="button" class="row" aria-current={chosen ? 'true' : undefined} onClick={onChoose}>
      <span class="title">
        {many && <i class="dot" style={{ background: colourOf(index) }} />}
        {group.step !== undefined && <b>{group.step}</b>} {group.question.split('\n')[0]}
      </span>
      <span class="marks">
        {group.entries.slice(0, 24).map((entry, i) => (
          <Mark key={i} entry={entry} />
        ))}
        {group.reward !== undefined && <em>{number(group.reward)}</em>}
      </span>
    </button>
  )
}

function Mark({ entry }: { entry: Readonly<Record<string, unknown>> }) {
  const reward = numberIn(entry, 'reward')
  const good = reward === undefined ? entry.outcome === 'right' : reward > 0
  return (
    <i
      class={`mark ${good ? 'good' : 'bad'}`}
      title={reward === undefined ? String(entry.outcome) : number(reward)}
    />
  )
}

/** How the answers to the same question changed. */
function OverTheRun({ row, onChoose }: { row: Row; onChoose: (group: Group) => void }) {
  const groups = sameQuestion(groupsOf(row.run), row.group)
  if (groups.length < 2) return null
  return (
    <>
      <h3>The same question over the run</h3>
      <ol class="history">
        {groups.map(group => (
          <li key={group.id}>
            <button
              type="button"
              aria-current={group === row.group ? 'true' : undefined}
              onClick={() => onChoose(group)}
            >
              update {group.step ?? '?'}: {group.reward === undefined ? '' : number(group.reward)}
            </button>{' '}
            <span class="soft">{completionOf(bestOf(group)).slice(0, 160)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

const bestOf = ({ entries }: Group) =>
  entries.reduce((best, entry) =>
    (numberIn(entry, 'reward') ?? 0) > (numberIn(best, 'reward') ?? 0) ? entry : best,
  )
