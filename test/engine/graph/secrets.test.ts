import t from 'tap'
import { hide, hideIn } from '../../../engine/graph/secrets.ts'

const value = 'p@ss "wörd" <1> & 2/3+4'
const secrets = new Map([[value, 'NAME']])

t.test('a secret is hidden however it is written', async t => {
  const html = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const ways: Record<string, string> = {
    plain: value,
    JSON: JSON.stringify({ value }),
    'JSON in JSON': JSON.stringify(JSON.stringify({ value })),
    'ASCII JSON': JSON.stringify({ value }).replaceAll('ö', '\\u00f6'),
    'an address': `http://x/?key=${encodeURIComponent(value)}&more=1`,
    'an address in small letters': encodeURIComponent(value).replace(/%../g, code => code.toLowerCase()),
    'a form': new URLSearchParams({ key: value }).toString(),
    'the text of a page': `<p>${html}</p>`,
    'an attribute': `<a title="${html.replaceAll('"', '&quot;')}">`,
    base64: Buffer.from(value).toString('base64'),
    base64url: Buffer.from(value).toString('base64url'),
  }
  for (const [name, text] of Object.entries(ways)) {
    const hidden = hide(`before ${text} after`, secrets)
    t.match(hidden, /^before .*NAME.* after$/, name)
    t.notMatch(hidden, /p@ss|p%40ss|rd%22|rd\\"/, name)
  }
})

t.test('base64 of a longer text hides the secret in it, wherever it begins', async t => {
  for (const user of ['a:', 'ab:', 'abc:']) {
    const text = Buffer.from(`${user}${value}, and more`).toString('base64')
    const hidden = hide(text, secrets)
    t.match(hidden, /NAME/, user)
    t.ok(hidden.length < text.length - 20, user)
  }
})

t.test('of secrets that hold each other the longest is hidden, in any order', async t => {
  const [short, long] = ['swordfish', 'swordfish-and-chips']
  for (const values of [
    [short, long],
    [long, short],
  ]) {
    const both = new Map(values.map(value => [value, `<${value.length}>`]))
    t.equal(hide(`${long} ${short}`, both), '<19> <9>')
  }
})

t.test('secrets that overlap leave nothing of either', async t => {
  const two = new Map([
    ['abcdefgh', 'ONE'],
    ['efghijkl', 'TWO'],
  ])
  t.equal(hide('<abcdefghijkl>', two), '<ONE>')
})

t.test('a value that is added later is hidden too, and a very short one is not', async t => {
  const growing = new Map([['first-value', 'ONE']])
  t.equal(hide('first-value second-value', growing), 'ONE second-value')
  growing.set('second-value', 'TWO').set('abc', 'THREE')
  t.equal(hide('first-value second-value abc', growing), 'ONE TWO abc')
})

t.test('keys of objects and items of lists are hidden, and nothing is added to all objects', async t => {
  t.same(hideIn({ list: [value, 3], [value]: true }, secrets), { list: ['NAME', 3], NAME: true })
  const hidden = hideIn(JSON.parse('{"__proto__": {"polluted": 1}}'), secrets)
  t.equal(Object.hasOwn(hidden, '__proto__'), true)
  t.notOk('polluted' in hidden)
})
