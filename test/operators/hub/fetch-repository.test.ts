import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { resolvePath } from '../../../operators/builtin.ts'
import { fetchRepository } from '../../../operators/hub/fetch-repository.ts'
import { readHubId } from '../../../operators/hub/hub-id.ts'
import { patientFetch } from '../../../operators/hub/patient-fetch.ts'
import { type HubServer, hubServer } from './hub-server.ts'

const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251))
const commit = 'c'.repeat(40)
const repositories = {
  'models/me/tiny': {
    'config.json': Buffer.from('{"a":1}'),
    'model.safetensors': weights,
    'pytorch_model.bin': Buffer.from('not wanted'),
  },
  'datasets/me/clips': {
    'train.jsonl': Buffer.from('{}\n'),
    'videos/1.mp4': Buffer.from('one'),
    'videos/2.mp4': Buffer.from('two'),
  },
}

const fast = { tries: 3, waitSeconds: 0.01, idleSeconds: 0.3 }
/** What the hub holds as `text`, put into a new cache. */
const setting = async (t: Test, change: (hub: HubServer) => void = () => {}) => {
  const hub = await hubServer(repositories)
  change(hub)
  const cache = t.testdir({})
  process.env.HF_HUB_CACHE = cache
  t.teardown(() => hub.close())
  const environment = { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_secret', HF_HOME: cache }
  const fetched = (text: string, kind: 'model' | 'data' = 'model', more: Record<string, string> = {}) => {
    const id = readHubId(text, kind)
    if (!id) throw new Error(`${text} is no id`)
    return fetchRepository(id, { ...fast, environment: { ...environment, ...more } })
  }
  const folder = join(cache, 'models--me--tiny')
  return {
    hub,
    cache,
    folder,
    fetched,
    downloads: () => hub.requests.filter(({ path }) => path.includes('/resolve/')),
  }
}

t.test('ids are told from paths', async t => {
  t.same(readHubId('me/tiny', 'model'), { type: 'model', name: 'me/tiny', revision: 'main', path: '' })
  t.same(readHubId('me/tiny@v1', 'model'), { type: 'model', name: 'me/tiny', revision: 'v1', path: '' })
  t.same(readHubId('hf:me/clips@v1/a/b.jsonl', 'data'), {
    type: 'dataset',
    name: 'me/clips',
    revision: 'v1',
    path: 'a/b.jsonl',
  })
  for (const text of ['data/questions.jsonl', './me/tiny', '/me/tiny', 'me', 'a/b/c'])
    t.equal(readHubId(text, 'data'), undefined, text)
  for (const text of ['./me/tiny', '/me/tiny', 'me', 'a/b/c'])
    t.equal(readHubId(text, 'model'), undefined, text)
  t.throws(() => readHubId('hf:me', 'data'), { code: 'bad-hub-id' })
  t.throws(() => readHubId('hf:me/clips/../../x', 'data'), { code: 'path-outside' })
})

t.test(
  'a model goes into the layout that Hugging Face libraries share, weights in safetensors only',
  async t => {
    const { folder, fetched, hub } = await setting(t)
    const path = await fetched('me/tiny')
    t.equal(path, join(folder, 'snapshots', commit))
    t.same(readdirSync(path).sort(), ['config.json', 'model.safetensors'])
    t.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit)
    t.match(readlinkSync(join(path, 'model.safetensors')), /^\.\.[/\\]\.\.[/\\]blobs[/\\][0-9a-f]{64}$/)
    t.same(readFileSync(join(path, 'model.safetensors')), weights)
    t.equal(resolvePath('me/tiny', 'model'), path)
    t.ok(hub.requests.every(({ authorization }) => authorization === 'Bearer hf_secret'))
  },
)

t.test('what the cache has is not downloaded again', async t => {
  const { fetched, downloads } = await setting(t)
  await fetched('me/tiny')
  const before = downloads().length
  await fetched('me/tiny')
  t.equal(downloads().length, before)
})

t.test('a file or a folder of a dataset comes alone', async t => {
  const { fetched, cache } = await setting(t)
  t.equal(readFileSync(await fetched('hf:me/clips/train.jsonl', 'data'), 'utf8'), '{}\n')
  t.notOk(existsSync(join(cache, 'datasets--me--clips/snapshots', commit, 'videos')))
  t.same(readdirSync(await fetched('hf:me/clips/videos', 'data')).sort(), ['1.mp4', '2.mp4'])
  await t.rejects(fetched('hf:me/clips/none.jsonl', 'data'), { code: 'hub-missing' })
})

t.test('a download goes on where its connection was cut', async t => {
  let cuts = 0
  const { fetched, downloads } = await setting(t, hub => {
    hub.fault = (request, response, content) => {
      if (content !== weights || cuts === 2) return false
      cuts++
      const start = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start })
      response.write(content.subarray(start, start + 100_000), () => setTimeout(() => response.destroy(), 50))
      return true
    }
  })
  t.same(readFileSync(join(await fetched('me/tiny'), 'model.safetensors')), weights)
  const ranges = downloads().flatMap(({ range = '' }) => (range ? [range] : []))
  t.same(ranges, ['bytes=100000-', 'bytes=200000-'])
})

t.test('a later command goes on with what an earlier one left', async t => {
  const { fetched, downloads, folder, hub } = await setting(t, hub => {
    hub.fault = (_, response, content) => {
      if (content !== weights) return false
      response.destroy()
      return true
    }
  })
  await t.rejects(fetched('me/tiny'), { code: 'hub-cut', message: /the same command goes on/ })
  hub.fault = () => false
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  const { createHash } = await import('node:crypto')
  const name = createHash('sha256').update(weights).digest('hex')
  writeFileSync(join(folder, 'blobs', `${name}.incomplete`), weights.subarray(0, 1234))
  await fetched('me/tiny')
  t.equal(downloads().at(-1)?.range, 'bytes=1234-')
})

t.test('a server that is silent is left and asked again', async t => {
  let silent = 1
  const { fetched } = await setting(t, hub => {
    hub.fault = (_, _response, content) => content === weights && silent-- > 0
  })
  t.same(readFileSync(join(await fetched('me/tiny'), 'model.safetensors')), weights)
})

t.test('429 and faults of the server are waited for', async t => {
  const refused = new Set<string>()
  const { fetched, hub } = await setting(t, hub => {
    hub.fault = ({ url = '' }, response) => {
      if (refused.has(url)) return false
      refused.add(url)
      response.writeHead(refused.size % 2 ? 429 : 503, { 'retry-after': '0' }).end()
      return true
    }
  })
  t.ok(existsSync(join(await fetched('me/tiny'), 'config.json')))
  t.equal(hub.requests.length, 2 * refused.size)
  t.ok(refused.size >= 3)
})

t.test('a file with a wrong digest is downloaded once more, and then refused', async t => {
  const damaged = Buffer.from(weights)
  damaged[7] = 255
  let wrong = 1
  const send = (hub: HubServer) => {
    hub.fault = (_, response, content) => {
      if (content !== weights || wrong-- <= 0) return false
      response.writeHead(200, { 'content-length': damaged.length }).end(damaged)
      return true
    }
  }
  const once = await setting(t, send)
  t.same(readFileSync(join(await once.fetched('me/tiny'), 'model.safetensors')), weights)
  wrong = 99
  const always = await setting(t, send)
  await t.rejects(always.fetched('me/tiny'), {
    code: 'hub-damaged',
    message: /me\/tiny\/model.safetensors: must have 300000 bytes and the digest/,
  })
  t.notOk(existsSync(join(always.folder, 'snapshots', commit, 'model.safetensors')))
})

t.test('a file that does not end is left at the size that the hub lists', async t => {
  let sent = 0
  const { fetched, folder } = await setting(t, hub => {
    hub.fault = (_, response, content) => {
      if (content !== weights) return false
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && sent++ < 1e5) if (!response.write(Buffer.alloc(65536))) return
      }
      response.on('drain', more)
      more()
      return true
    }
  })
  await t.rejects(fetched('me/tiny'), { code: 'hub-damaged', message: /me\/tiny\/model.safetensors/ })
  const sizes = readdirSync(join(folder, 'blobs')).map(name => statSync(join(folder, 'blobs', name)).size)
  t.ok(
    sizes.every(size => size < weights.length + 2 ** 20),
    sizes.join(' '),
  )
})

t.test('refusals say what to do, and no message holds the token', async t => {
  const { fetched, hub } = await setting(t)
  await t.rejects(fetched('me/none'), { code: 'hub-missing', message: /404/ })
  hub.fault = (_, response) => {
    response.writeHead(403).end()
    return true
  }
  const error: unknown = await fetched('me/tiny').catch(error => error)
  t.match(error, { code: 'hub-refused', message: /HF_TOKEN/ })
  t.notMatch(String(error), /hf_secret/)
})

t.test('without a network the cache is enough, and an empty one is an error', async t => {
  const { fetched, hub, folder } = await setting(t)
  await t.rejects(fetched('me/tiny', 'model', { HF_HUB_OFFLINE: '1' }), { code: 'hub-offline' })
  const path = await fetched('me/tiny')
  const asked = hub.requests.length
  t.equal(await fetched('me/tiny', 'model', { HF_HUB_OFFLINE: '1' }), path)
  t.equal(hub.requests.length, asked)
  t.equal(
    await fetched(`me/tiny@${commit}`, 'model', { HF_HUB_OFFLINE: '1' }),
    join(folder, 'snapshots', commit),
  )
  await hub.close()
  t.equal(await fetched('me/tiny'), path, 'a hub that cannot be reached')
})

t.test(
  'where there is no way to the hub, one more attempt is enough; a hub that has answered gets more patience',
  async t => {
    const real = globalThis.fetch
    t.teardown(() => {
      globalThis.fetch = real
    })
    const options = { tries: 5, waitSeconds: 0.001 }
    let calls = 0
    const lost = (): never => {
      throw new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND huggingface.co') })
    }
    globalThis.fetch = async () => {
      calls++
      return lost()
    }
    await t.rejects(patientFetch('hf:me/tiny', undefined, options)('https://hub/'), {
      code: 'hub-unreachable',
      message:
        /^hf:me\/tiny: the hub cannot be asked: getaddrinfo ENOTFOUND huggingface\.co: give the path of a folder/,
    })
    t.equal(calls, 2)
    calls = 0
    globalThis.fetch = async () => (calls++ > 0 ? lost() : new Response('{}'))
    const patient = patientFetch('hf:me/tiny', undefined, options)
    t.equal(await (await patient('https://hub/')).text(), '{}')
    await t.rejects(patient('https://hub/'), { code: 'hub-unreachable' })
    t.equal(calls, 6, 'five attempts after the answer')
  },
)
