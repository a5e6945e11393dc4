import type { Shown } from './app.tsx'
import { type RunData, textOf } from './store.ts'

/** Everything that is needed to understand or repeat a run. */
export function Setup({ store }: Shown) {
  return (
    <>
      {[...store.runs.values()].map(run => (
        <RunSetup key={run.id} run={run} />
      ))}
    </>
  )
}

function RunSetup({ run }: { run: RunData }) {
  const { params, resolved, versions, git, started, platform, set } = run.manifest
  const facts = { started, platform, git, set }
  return (
    <section>
      <h2>{run.id === '.' ? 'Setup' : run.id}</h2>
      <Table title="Parameters" of={params} />
      <Table title="Where it ran" of={facts} />
      <Table title="Versions" of={versions} />
      <details>
        <summary>Graph as it ran</summary>
        <pre>{JSON.stringify(resolved, null, 2)}</pre>
      </details>
    </section>
  )
}

function Table({ title, of }: { title: string; of: unknown }) {
  const rows = Object.entries(typeof of === 'object' && of !== null ? of : {}).filter(
    ([, value]) => textOf(value) !== '',
  )
  if (rows.length === 0) return null
  return (
    <>
      <h3>{title}</h3>
      <table class="pairs">
        <tbody>
          {rows.map(([name, value]) => (
            <tr key={name}>
              <th>{name}</th>
              <td class="wrap">{textOf(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
