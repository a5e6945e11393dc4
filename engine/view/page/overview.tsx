import { useState } from 'preact/hooks'
import type { Shown } from './app.tsx'
import { CurveGrid } from './curves.tsx'
import { GraphPanel } from './graph-panel.tsx'
import { GroupCard } from './group-card.tsx'
import { groupsOf } from './groups.ts'
import { NodePanel } from './node-panel.tsx'

const firstCurves = ['reward', 'eval/accuracy', 'loss', 'kl', 'tokens_per_second']

/** The run at a glance: its main curves, its graph, and what the model wrote last. */
export function Overview({ store, source }: Shown) {
  const [node, setNode] = useState<string | undefined>()
  const runs = [...store.runs.values()]
  const [run] = runs
  if (!run) return null
  const group = groupsOf(run).at(-1)
  // a folder of results has none
  const hasGraph = run.nodes.length > 0 || run.status !== undefined
  return (
    <>
      <CurveGrid runs={runs} smoothing={0.1} only={firstCurves} />
      <div class="split">
        {hasGraph && (
          <section>
            <h2>Graph</h2>
            <GraphPanel run={run} chosen={node} onChoose={setNode} />
          </section>
        )}
        <section>
          {!hasGraph ? null : node === undefined ? (
            <p class="soft hint">
              Choose a node of the graph to see what it does, its settings and its items.
            </p>
          ) : (
            <NodePanel key={node} run={run} node={node} source={source} onClose={() => setNode(undefined)} />
          )}
          {group && (
            <>
              <h2>Newest completions</h2>
              <GroupCard group={group} run={run} source={source} most={2} />
            </>
          )}
        </section>
      </div>
    </>
  )
}
