import { useEffect, useRef, useState } from 'preact/hooks'
import type { Checked, Found, Opened } from '../graph-editor.ts'
import type { Shown } from './app.tsx'
import { ConfigForm } from './config-form.tsx'
import { EditDrawing } from './edit-drawing.tsx'
import {
  extendedBy,
  freshName,
  graphOf,
  placeOf,
  portsBetween,
  stands,
  type TextGraph,
  withEdge,
  withNode,
  withoutEdge,
  withoutNode,
} from './graph-text.ts'

/** Time after the last change before the text is checked. */
const quietMs = 250

/** The graph and its JSON side by side: a change in one is a change in the other. */
export function Editor({ store, source }: Shown) {
  const [opened, setOpened] = useState<Opened | undefined>()
  const [saved, setSaved] = useState('')
  const [history, setHistory] = useState<readonly string[]>([])
  const [checked, setChecked] = useState<Checked | undefined>()
  const [chosen, setChosen] = useState<string | undefined>()
  const [note, setNote] = useState('')
  const field = useRef<HTMLTextAreaElement>(null)
  const text = history.at(-1) ?? saved
  const ask = source.edit
  const change = (next: string) => {
    if (next !== text) setHistory([...history.slice(-200), next])
  }
  const attempt = async (what: () => Promise<void>) => {
    try {
      setNote('')
      await what()
    } catch (error) {
      setNote(error instanceof Error ? error.message : String(error))
    }
  }
  useEffect(() => {
    attempt(async () => {
      const answer = (await ask?.('open', {})) as Opened
      setOpened(answer)
      setSaved(answer.text)
    })
  }, [ask])
  useEffect(() => {
    if (text === '') return
    const timer = setTimeout(() => {
      attempt(async () => setChecked((await ask?.('check', { text })) as Checked))
    }, quietMs)
    return () => clearTimeout(timer)
  }, [text, ask])
  if (!opened) return <p class="soft">{note || 'Opening the graph…'}</p>
  const { catalogue, mayWrite } = opened
  const { found, inherited } = checked ?? {}
  const own = graphOf(text)
  const graph = inherited ? graphOf(text, inherited) : own
  const node = graph.nodes.find(({ name }) => name === chosen)
  const errors = (found ?? []).filter(({ level }) => level === 'error')
  const show = (problem: Found) => {
    const place = placeOf(text, problem.path)
    const [, name] = /^nodes\.([^.]+)/.exec(problem.path) ?? []
    setChosen(name ?? chosen)
    if (!place || !field.current) return
    field.current.focus()
    field.current.setSelectionRange(place.offset, place.offset + place.length)
  }
  const save = () =>
    attempt(async () => {
      await ask?.('save', { text, before: saved })
      setSaved(text)
      setHistory([])
    })
  const run = () =>
    attempt(async () => {
      const answer = (await ask?.('run', {})) as { run: string } | undefined
      if (answer) source.watch([answer.run])
      location.hash = 'overview'
    })
  return (
    <>
      <p class="filters">
        <b>{store.graph}</b>
        <select
          value=""
          aria-label="Add a node"
          onChange={({ currentTarget: { value } }) => {
            const name = freshName(graph, value)
            change(withNode(text, name, value))
            setChosen(name)
          }}
        >
          <option value="">add a node…</option>
          {Object.entries(catalogue.operators).map(([name, { summary }]) => (
            <option key={name} value={name} title={summary}>
              {name}
            </option>
          ))}
        </select>
        <button
          type="button"
          disabled={history.length === 0}
          onClick={() => setHistory(history.slice(0, -1))}
        >
          Undo
        </button>
        <button type="button" disabled={!mayWrite || text === saved} onClick={save}>
          Save
        </button>
        <button type="button" disabled={!mayWrite || text !== saved || errors.length > 0} onClick={run}>
          Run
        </button>
        {!mayWrite && <span class="soft">start flow view with --edit to save and run</span>}
      </p>
      {note && <p class="problem">{note}</p>}
      <Problems found={found} onShow={show} />
      {inherited && <Inherited text={text} own={own} graph={graph} />}
      <div class="split">
        <section>
          <EditDrawing
            graph={graph}
            own={own}
            chosen={chosen}
            found={found ?? []}
            onChoose={setChosen}
            onConnect={(from, to) => {
              const edge = portsBetween(graph, catalogue, from, to)
              if (edge) change(withEdge(text, edge))
            }}
            onDisconnect={edge => change(withoutEdge(text, edge))}
            onRemove={name => change(withoutNode(text, name))}
          />
          {node && (
            <ConfigForm
              key={node.name}
              node={node}
              graph={graph}
              catalogue={catalogue}
              found={found ?? []}
              text={text}
              onChange={change}
            />
          )}
        </section>
        <section>
          <textarea
            ref={field}
            class="source"
            spellcheck={false}
            aria-label="The graph as JSON"
            value={text}
            onInput={event => change(event.currentTarget.value)}
          />
        </section>
      </div>
    </>
  )
}

/** Says what the text does not hold and the drawing shows. */
function Inherited({ text, own, graph }: { text: string; own: TextGraph; graph: TextGraph }) {
  const count = graph.nodes.filter(({ name }) => !stands(own, name)).length
  return (
    <p class="soft">
      extends {extendedBy(text)}: {count} of {graph.nodes.length} nodes are inherited, drawn with dashed
      lines. What is changed of them is written into this file.
    </p>
  )
}

function Problems({ found, onShow }: { found: readonly Found[] | undefined; onShow: (one: Found) => void }) {
  if (!found) return <p class="soft">Checking…</p>
  if (found.length === 0)
    return (
      <p class="good" role="status">
        No problem: the graph can run.
      </p>
    )
  return (
    <ul class="found" role="status">
      {found.map((one, i) => (
        <li key={`${one.path} ${i}`} class={one.level}>
          <button type="button" class="place" onClick={() => onShow(one)}>
            {one.line !== undefined && `${one.line}:${one.column} `}
            {one.path}
          </button>{' '}
          {one.message} <span class="soft">{one.remedy}</span>
        </li>
      ))}
    </ul>
  )
}
