import { useEffect, useState } from 'preact/hooks'
import { Completions } from './completions.tsx'
import { Curves } from './curves.tsx'
import { Editor } from './editor.tsx'
import { Header } from './header.tsx'
import { Log } from './log.tsx'
import { Overview } from './overview.tsx'
import { Setup } from './setup.tsx'
import { type Source, type Store, useStore } from './store.ts'

/** What every part of the page gets. */
export interface Shown {
  store: Store
  source: Source
}

const tabs = {
  overview: { title: 'Overview', Part: Overview },
  curves: { title: 'Curves', Part: Curves },
  completions: { title: 'Completions', Part: Completions },
  log: { title: 'Log', Part: Log },
  setup: { title: 'Setup', Part: Setup },
  edit: { title: 'Edit', Part: Editor },
} as const
type Tab = keyof typeof tabs
const names = Object.keys(tabs) as Tab[] // the keys of the table

const tabOfAddress = (): Tab => names.find(name => `#${name}` === location.hash.split('/')[0]) ?? 'overview'

export function App({ store, source }: Shown) {
  useStore(store)
  const shown = names.filter(name => name !== 'edit' || store.graph !== null)
  const [tab, setTab] = useState(tabOfAddress())
  useEffect(() => {
    const onAddress = () => setTab(tabOfAddress())
    const onKey = (event: KeyboardEvent) => {
      if (event.target instanceof Element && event.target.closest('input, select, textarea')) return
      const name = names[Number(event.key) - 1]
      if (name && !event.ctrlKey && !event.metaKey && !event.altKey) location.hash = name
    }
    addEventListener('hashchange', onAddress)
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('hashchange', onAddress)
      removeEventListener('keydown', onKey)
    }
  }, [])
  const { Part } = tabs[tab]
  return (
    <>
      <Header store={store} source={source} />
      <nav>
        {shown.map((name, i) => (
          <a
            key={name}
            href={`#${name}`}
            aria-current={name === tab ? 'page' : undefined}
            title={`key ${i + 1}`}
          >
            {tabs[name].title}
          </a>
        ))}
      </nav>
      <main>
        <Part store={store} source={source} />
      </main>
    </>
  )
}
