// What the report's page looks like and how it behaves; both stand inside the page.

export const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --right: #2a8a4a; --wrong: #c4433b; --odd: #b7791f; --gone: #7a7f87 }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1rem }
h1 { margin: 0; font-size: 1.2rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.big { font-size: 2.6rem; font-weight: 700; margin: 0; line-height: 1.2 } .big small { font-size: 1rem; font-weight: 400 }
.bad { color: var(--wrong) }
.bar { display: flex; height: .8rem; border-radius: .4rem; overflow: hidden; gap: 1px }
.right { background: var(--right) } .wrong { background: var(--wrong) } .unparsed, .truncated { background: var(--odd) }
.clip-missing, .clip-damaged, .error { background: var(--gone) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; table-layout: fixed }
th, td { text-align: right; padding: .25rem .4rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; font-weight: 500 }
thead th:nth-child(2) { width: 15rem } thead th:nth-child(3) { width: 4rem } thead th:nth-child(4) { width: 8.5rem } thead th:nth-child(5) { width: 4.5rem } thead th:nth-child(6), thead th:nth-child(7) { width: 3.6rem }
.chart { display: block; position: relative; height: .7rem; width: 14rem; background: var(--soft) }
.chart i, .chart b, .chart u { position: absolute; top: 0; bottom: 0 }
.chart i { background: #4a7fc155 } .chart b { width: 3px; margin-left: -1px; background: #4a7fc1 } .chart u { width: 1px; background: var(--wrong) }
details { margin: .6rem 0 } summary { cursor: pointer }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0 } dt { color: var(--gone) } dd { margin: 0; overflow-wrap: anywhere }
.filters { display: flex; flex-wrap: wrap; gap: .4rem; margin-bottom: .6rem }
button, input { font: inherit; padding: .35rem .8rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--soft); color: inherit }
button[aria-pressed=true] { outline: 2px solid #4a7fc1 } input { width: 100% } #count { margin: .4rem 0; color: var(--gone) }
.item { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; overflow: hidden }
.item > summary { display: flex; gap: .6rem; align-items: baseline; padding: .45rem .6rem; flex-wrap: wrap }
.mark { color: #fff; border-radius: .3rem; padding: 0 .45rem; font-size: .82rem } .name { font-weight: 500; overflow-wrap: anywhere } .what { color: var(--gone); margin-left: auto; font-size: .9rem }
.body { padding: 0 .6rem .6rem; display: grid; gap: .6rem }
.body img { max-width: 100%; width: 44rem; height: auto; border-radius: .3rem; display: block }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--soft); padding: .6rem; margin: 0; border-radius: .3rem; font: .86rem/1.45 ui-monospace, monospace }
.options { margin: 0; padding: 0; list-style: none } .options li { padding: .1rem .4rem } .options .true { border-left: 3px solid var(--right) } .options .taken { font-weight: 700 }
.note { color: var(--gone); font-size: .9rem; margin: 0; overflow-wrap: anywhere }
@media (max-width: 40rem) { table { table-layout: auto } .wide { display: none } .what { margin-left: 0; width: 100% } dl { grid-template-columns: 1fr } dt { margin-top: .3rem } th, td { padding: .25rem .2rem } thead th:nth-child(3) { width: 3.1rem } thead th:nth-child(4) { width: 6.6rem } thead th:nth-child(5) { width: 3.8rem } thead th:nth-child(6) { width: 2.6rem } }
`

export const script = `
'use strict'
const sheets = JSON.parse(document.getElementById('sheets').textContent)
const order = ['right', 'wrong', 'unparsed', 'truncated', 'clip-missing', 'clip-damaged', 'error']
const step = 100
let items = [], wanted = '', words = '', shown = step
function element(tag, attributes, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return JSON.parse(await new Response(stream).text())
}
function body(item) {
  const out = element('div', { class: 'body' })
  const frames = item.indices.length + ' frames' + (item.framesPerSecond ? ' at ' + item.indices.map(i => (i / item.framesPerSecond).toFixed(2)).join(', ') + ' s' : '')
  if (item.sheet) {
    const source = sheets[item.sheet] ? 'data:image/jpeg;base64,' + sheets[item.sheet] : item.sheet
    out.append(element('img', { src: source, alt: 'The frames that were shown, in order', loading: 'lazy' }))
    if (!sheets[item.sheet]) out.append(element('p', { class: 'note' }, 'Not in this page, to keep it small: ' + item.sheet))
  }
  out.append(element('p', { class: 'note' }, item.clip + (item.indices.length ? ': ' + frames : '')))
  const options = item.letters.map((letter, i) => {
    const option = item.options[i] || ''
    const kind = [letter === item.answer && 'true', letter === item.chosen && 'taken'].filter(Boolean).join(' ')
    return element('li', { class: kind }, option.startsWith(letter + '.') ? option : letter + '. ' + option)
  })
  out.append(element('ul', { class: 'options' }, ...options))
  if (item.message) out.append(element('pre', {}, item.message))
  if (item.output !== null) out.append(element('p', { class: 'note' }, 'Output, ' + item.tokens + ' tokens' + (item.finished ? '' : ', cut at the limit')), element('pre', {}, item.output || '(empty)'))
  out.append(element('p', { class: 'note' }, 'Prompt'), element('pre', {}, item.prompt))
  return out
}
function row(item) {
  const chosen = item.chosen === null ? 'nothing' : item.chosen + (item.drawn ? ' (drawn at random)' : '')
  const what = item.tasks.join(', ') + ' · said ' + chosen + ', true ' + (item.answer === null ? 'none of them' : item.answer)
  const summary = element('summary', {}, element('span', { class: 'mark ' + item.outcome }, item.outcome), element('span', { class: 'name' }, item.id), element('span', { class: 'what' }, what))
  const made = element('details', { class: 'item', id: item.id }, summary)
  made.addEventListener('toggle', () => { if (made.open && made.children.length === 1) made.append(body(item)) })
  return made
}
function render() {
  const found = items.filter(item => (!wanted || item.outcome === wanted || (wanted === 'drawn' && item.drawn)) && (!words || item.text.includes(words)))
  document.getElementById('items').replaceChildren(...found.slice(0, shown).map(row))
  document.getElementById('count').textContent = found.length + ' of ' + items.length + ' questions'
  document.getElementById('more').hidden = found.length <= shown
  for (const button of document.querySelectorAll('#filters button')) button.setAttribute('aria-pressed', String(button.dataset.outcome === wanted))
}
function filter(name, count) {
  const button = element('button', { type: 'button', 'data-outcome': name }, (name || 'all') + ' ' + count)
  button.addEventListener('click', () => { wanted = name; shown = step; render() })
  document.getElementById('filters').append(button)
}
document.getElementById('search').addEventListener('input', event => { words = event.target.value.toLowerCase(); shown = step; render() })
document.getElementById('more').addEventListener('click', () => { shown += step; render() })
unpack(document.getElementById('data').textContent).then(list => {
  items = list.map(item => ({ ...item, text: [item.id, ...item.tasks, item.prompt, item.output || '', item.outcome].join(' ').toLowerCase() }))
  filter('', items.length)
  for (const outcome of order) { const count = items.filter(item => item.outcome === outcome).length; if (count) filter(outcome, count) }
  const drawn = items.filter(item => item.drawn).length
  if (drawn) filter('drawn', drawn)
  render()
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (target) { target.open = true; target.scrollIntoView() }
}).catch(error => { document.getElementById('count').textContent = 'The questions cannot be shown: ' + error.message })
`
