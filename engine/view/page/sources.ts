import type { SavedData } from '../messages.ts'
import type { Source, Store } from './store.ts'

/** The data inside a saved report, or undefined in a page that has a server. */
export function savedSource(store: Store): Source | undefined {
  const text = document.getElementById('data')?.textContent
  if (!text) return undefined
  const { messages, pictures }: SavedData = JSON.parse(text)
  for (const message of messages) store.apply(message)
  return {
    watch: () => {},
    picture: (_, name) => (Object.hasOwn(pictures, name) ? `data:image/jpeg;base64,${pictures[name]}` : ''),
  }
}

/** The server that the page came from. Its address, with the token, is the page's own. */
export function liveSource(store: Store): Source {
  let events: EventSource | undefined
  const query = (values: Record<string, string>) => new URLSearchParams(values).toString()
  const post = async (name: string, body: unknown): Promise<unknown> => {
    const response = await fetch(name, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(await response.text())
    return response.json()
  }
  const watch = (runs: readonly string[]) => {
    events?.close()
    events = new EventSource(`events?${runs.map(run => query({ run })).join('&')}`)
    events.onopen = () => {
      store.clear()
      store.connected = true
      store.changed()
    }
    events.onmessage = ({ data }) => store.apply(JSON.parse(data))
    events.onerror = () => {
      store.connected = false
      store.changed()
    }
  }
  return {
    watch,
    picture: (run, name) => `picture?${query({ run, name })}`,
    tap: (run, end, onItem) => {
      const tapped = new EventSource(`tap?${query({ run, end })}`)
      tapped.onmessage = ({ data }) => onItem(JSON.parse(data))
      tapped.onerror = () => tapped.close()
      return () => tapped.close()
    },
    control: async (run, action) => {
      await post('control', { run, action })
    },
    edit: post,
  }
}
