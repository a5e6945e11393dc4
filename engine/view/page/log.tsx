import type { Shown } from './app.tsx'
import { type RunData, textOf } from './store.ts'

const mostLines = 300

/** What went wrong and what the run said. */
export function Log({ store }: Shown) {
  return (
    <>
      {[...store.runs.values()].map(run => (
        <section key={run.id}>
          <h2>{run.id === '.' ? 'Log' : run.id}</h2>
          <Alarms run={run} />
          <DeadLetters run={run} />
          <Lines run={run} />
        </section>
      ))}
    </>
  )
}

function Alarms({ run }: { run: RunData }) {
  const alarms = (run.streams.get('log') ?? []).filter(({ level }) => level === 'error' || level === 'warn')
  if (alarms.length === 0) return <p class="soft">No alarm, no warning.</p>
  return (
    <>
      <h3>Alarms and warnings</h3>
      {alarms.slice(-20).map((line, i) => (
        <p key={i} class="problem">
          {textOf(line.message)}
        </p>
      ))}
    </>
  )
}

function DeadLetters({ run }: { run: RunData }) {
  const letters = run.streams.get('dead-letters') ?? []
  if (letters.length === 0) return null
  return (
    <>
      <h3>Skipped items ({letters.length})</h3>
      <table>
        <thead>
          <tr>
            <th>node</th>
            <th>item</th>
            <th>why</th>
          </tr>
        </thead>
        <tbody>
          {letters.slice(-mostLines).map((letter, i) => (
            <tr key={i}>
              <td>{textOf(letter.node)}</td>
              <td>{textOf(letter.key)}</td>
              <td class="wrap">{textOf(letter.error)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}

function Lines({ run }: { run: RunData }) {
  const lines = run.streams.get('log') ?? []
  if (lines.length === 0) return null
  return (
    <>
      <h3>Log</h3>
      <div class="lines">
        {lines.slice(-mostLines).map((line, i) => (
          <p key={i} class={textOf(line.level)}>
            <time>{textOf(line.time).slice(11, 19)}</time> {textOf(line.message)}
          </p>
        ))}
      </div>
    </>
  )
}
