// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import { operator, resource } from '../../../engine/operator.ts'
import { testBed } from '../support.ts'

const words = operator({
  summary: 'Says words.',
  config: {},
  inputs: {},
  outputs: { words: 'word' },
  run: () => ({}),
})
const opens = operator({
  summary: 'Opens a box.',
  config: { box: { type: 'string', resource: 'box', description: 'A box.' } },
  inputs: {},
  outputs: {},
  run: () => ({}),
})
const jar = resource({ summary: 'Is no box.', config: {}, kind: 'jar', open: async () => 0, close: () => {} })
const frames = (shape: readonly (number | string)[], dtype: 'f32' | 'f16' = 'f32') =>
  ({ kind: 'frames', dtype, shape }) as const
const film = operator({
  summary: 'Gives frames.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Frames of a clip.' },
    side: { type: 'integer', default: 0, description: 'Pixels of a side; 0 leaves it open.' },
    mode: { type: 'string', enum: ['all', 'some'], default: 'all', description: 'Which.' },
    most: { type: 'integer', default: 9, description: 'Most frames.', when: { mode: 'some' } },
  },
  inputs: {},
  outputs: { frames: frames(['F', 3, 'S', 'S']) },
  dims: ({ count, side }) => ({ F: count, S: side || undefined }),
  run: () => ({}),
})
const look = operator({
  summary: 'Looks at eight frames.',
  config: {},
  inputs: { frames: frames([8, 3, 'S', 'S']) },
  outputs: { features: { kind: 'features', dtype: 'f32', shape: [8, 'S'] } },
  run: () => ({}),
})
const pass = operator({
  summary: 'Passes on.',
  config: {},
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  run: () => ({}),
})
const half = operator({
  summary: 'Wants half precision and flat pictures.',
  config: {},
  inputs: { frames: frames(['F', 'X'], 'f16'), flat: { ...frames(['F', 'X']), optional: true } },
  outputs: {},
  run: () => ({}),
})
const both = operator({
  summary: 'Wants two lots of frames of the same size.',
  config: {},
  inputs: { one: frames(['F', 3, 'S', 'S']), other: frames(['F', 3, 'S', 'S']) },
  outputs: {},
  run: () => ({}),
})
const pile = operator({
  summary: 'Collects numbers.',
  config: { size: { type: 'integer', default: 2, description: 'How many.' } },
  inputs: { numbers: 'number' },
  outputs: { numbers: 'number' },
  collects: ({ size }) => size,
  run: () => ({}),
})
const gated = operator({
  summary: 'Works beside feedback.',
  config: {},
  inputs: { numbers: 'number', back: 'number' },
  outputs: { numbers: 'number' },
  run: () => ({}),
})
/** What the graphs below may name. */
export const { registry } = testBed({
  operators: { words, opens, film, look, pass, half, both, pile, gated },
  resources: { jar },
})

/** A graph's text, one line a part, so that positions are easy to read. */
const graph = (nodes: readonly string[], before: readonly string[] = []) =>
  [
    '{',
    '  "version": 1, "summary": "S.",',
    ...before.map(line => `  ${line},`),
    '  "nodes": {',
    nodes.map(line => `    ${line}`).join(',\n'),
    '  }',
    '}',
  ].join('\n')

const count = '"count": { "operator": "range", "config": { "count": 3 } }'
const end = '"end": { "operator": "collect", "from": { "items": "count.numbers" } }'
const worker = (rest: string) => `"work": { "operator": "work", ${rest} }`
const takes = '"from": { "numbers": "count.numbers" }'

export interface Case {
  name: string
  text: string
  set?: readonly string[]
  environment?: Record<string, string>
  problems: readonly string[]
}

/** Graphs that must not run, and what is said about them. */
export const cases: readonly Case[] = [
  {
    name: 'an empty file',
    text: '',
    problems: ['g.json:1:1: must be a JSON value (a comma may not end a list)'],
  },
  {
    name: 'a trailing comma',
    text: '{\n  "version": 1,\n}',
    problems: ['g.json:3:1: must be a key in double quotes (a comma may not end an object)'],
  },
  {
    name: 'a comment',
    text: '{ // hello\n  "version": 1 }',
    problems: ['g.json:1:3: must not be a comment: JSON has none'],
  },
  {
    name: 'something after the end',
    text: '{}\n{}',
    problems: ['g.json:2:1: must end here: one JSON object a file'],
  },
  { name: 'a list', text: '[1]', problems: ['g.json:1:1: must be a JSON object, found [1]'] },
  {
    name: 'a number that no double holds',
    text: '{ "version": 1e999 }',
    problems: ['g.json:1:14 version: must be a number that a double can hold'],
  },
  {
    name: 'a repeated key',
    text: graph([count, count]),
    problems: ['g.json:5:5 nodes.count: must not repeat a key of the same object'],
  },
  {
    name: 'nothing but braces',
    text: '{}',
    problems: [
      'g.json:1:1: must have "version" (Version of the format.)',
      'g.json:1:1: must have "summary" (What the graph does, in a sentence.)',
      'g.json:1:1: must have "nodes" (The steps of the graph by name.)',
    ],
  },
  {
    name: 'an unknown part, a wrong version, no nodes',
    text: '{ "version": 2, "summary": "S.", "nods": 1, "nodes": {} }',
    problems: [
      'g.json:1:14 version: must be 1, found 2 (Version of the format.)',
      'g.json:1:34 nods: must be a known key, found "nods" (nearest "nodes")',
      'g.json:1:54 nodes: must have at least 1 key, found {} (The steps of the graph by name.)',
    ],
  },
  {
    name: 'a bad name of a node',
    text: graph([count, '"my node": { "operator": "range", "config": { "count": 3 } }']),
    problems: [
      'g.json:5:5 nodes.my node: must be a name: a letter, then letters, digits, "_" or "-", found "my node"',
    ],
  },
  {
    name: 'an unknown operator',
    text: graph(['"count": { "operator": "rnge", "config": { "count": 3 } }']),
    problems: ['g.json:4:28 nodes.count.operator: must be a known operator, found "rnge" (nearest "range")'],
  },
  {
    name: 'names that every object has are not operators',
    text: graph(['"count": { "operator": "constructor" }']),
    problems: ['g.json:4:28 nodes.count.operator: must be a known operator, found "constructor"'],
  },
  {
    name: 'wrong config: unknown, missing, wrong type, out of range',
    text: graph([
      '"a": { "operator": "range", "config": { "cont": 3 } }',
      '"b": { "operator": "range", "config": { "count": "3" } }',
      '"c": { "operator": "range", "config": { "count": -1 } }',
      '"d": { "operator": "range" }',
    ]),
    problems: [
      'g.json:4:33 nodes.a.config: must have "count" (How many numbers.)',
      'g.json:4:45 nodes.a.config.cont: must be a known key, found "cont" (nearest "count")',
      'g.json:5:54 nodes.b.config.count: must be a whole number, found "3" (How many numbers.)',
      'g.json:6:54 nodes.c.config.count: must be >= 0, found -1 (How many numbers.)',
      'g.json:7:5 nodes.d.config: must have "count" (How many numbers.)',
    ],
  },
  {
    name: 'an edge from nowhere, from an unknown output, to an unknown input',
    text: graph([
      count,
      '"a": { "operator": "collect", "from": { "items": "cuont.numbers" } }',
      '"b": { "operator": "collect", "from": { "items": "count.number" } }',
      '"c": { "operator": "collect", "from": { "items": "count.numbers", "itms": "count.numbers" } }',
      '"d": { "operator": "collect", "from": { "items": "a.x" } }',
    ]),
    problems: [
      'g.json:5:54 nodes.a.from.items: must come from a node of the graph, found "cuont.numbers" (nearest "count")',
      'g.json:6:54 nodes.b.from.items: must be an output of "count", found "count.number" (nearest "numbers")',
      'g.json:7:71 nodes.c.from.itms: must be an input of "collect", found "itms" (nearest "items")',
      'g.json:8:54 nodes.d.from.items: must be an output of "a", found "a.x" (it has no outputs)',
    ],
  },
  {
    name: 'an edge that is not node.port',
    text: graph([count, '"end": { "operator": "collect", "from": { "items": "count" } }']),
    problems: [
      'g.json:5:56 nodes.end.from.items: must be "node.port", found "count" (A producing end `node.port`, an object that says more about the edge, or a list of these (fan-in).)',
    ],
  },
  {
    name: 'an input that nothing feeds',
    text: graph([count, '"a": { "operator": "collect" }', '"b": { "operator": "work", "from": {} }']),
    problems: [
      'g.json:5:5 nodes.a.from: must connect the input "items" (kind "any")',
      'g.json:6:40 nodes.b.from: must connect the input "numbers" (kind "number")',
    ],
  },
  {
    name: 'kinds that do not join',
    text: graph([
      '"words": { "operator": "words" }',
      '"double": { "operator": "double", "from": { "numbers": "words.words" } }',
    ]),
    problems: [
      'g.json:5:60 nodes.double.from.numbers: must carry "number" for the input "numbers", found "word" from words.words',
    ],
  },
  {
    name: 'a cycle that cannot start',
    text: graph([
      '"a": { "operator": "double", "from": { "numbers": "c.numbers" } }',
      '"b": { "operator": "double", "from": { "numbers": "a.numbers" } }',
      '"c": { "operator": "double", "from": { "numbers": "b.numbers" } }',
    ]),
    problems: [
      'g.json:4:55 nodes.a.from.numbers: must have an edge with "initial" in every cycle, found a → b → c → a (e.g. { "edge": "node.port", "keep": "latest", "initial": 0 })',
    ],
  },
  {
    name: 'an edge with wrong settings',
    text: graph([
      count,
      '"a": { "operator": "collect", "from": { "items": { "edge": "count.numbers", "capacity": { "items": 0 }, "whenfull": "block" } } }',
      '"b": { "operator": "collect", "from": { "items": { "edge": "count.numbers", "whenFull": "drop" } } }',
      '"c": { "operator": "collect", "from": { "items": [] } }',
      '"d": { "operator": "collect", "from": { "items": { "edge": "count.numbers", "maxLag": 0 } } }',
      '"e": { "operator": "collect", "from": { "items": ["count.numbers", { "edge": "count.numbers", "keep": "latest" }] } }',
      '"f": { "operator": "collect", "from": { "items": { "keep": "latest" } } }',
    ]),
    problems: [
      'g.json:5:104 nodes.a.from.items.capacity.items: must be >= 1, found 0 (Items that may wait.)',
      'g.json:5:109 nodes.a.from.items.whenfull: must be a known key, found "whenfull" (nearest "whenFull")',
      'g.json:6:93 nodes.b.from.items.whenFull: must be one of "block", "drop-oldest", "error", found "drop" (nearest "drop-oldest")',
      'g.json:7:54 nodes.c.from.items: must have at least 1 item, found [] (A producing end `node.port`, an object that says more about the edge, or a list of these (fan-in).)',
      'g.json:8:54 nodes.d.from.items: must have "keep": "latest" and "initial" when it has "maxLag", found count.numbers',
      'g.json:8:54 nodes.d.from.items: must stand beside another input when it has "maxLag", found count.numbers',
      'g.json:9:72 nodes.e.from.items.1: must be the only edge of its input when it keeps the latest, found count.numbers',
      'g.json:10:54 nodes.f.from.items: must have "edge" (The producing end: `node.port`.)',
    ],
  },
  {
    name: 'an unknown policy for errors',
    text: graph([
      count,
      worker(`${takes}, "onError": "ignore"`),
      `"again": { "operator": "work", ${takes}, "onError": { "retry": 0 } }`,
    ]),
    problems: [
      'g.json:5:86 nodes.work.onError: must be one of "stop", "skip", found "ignore" (When an item fails: `stop` ends the run; `skip` puts it into dead-letters.jsonl and goes on; `{ "retry": n }` tries n more times, then stops.)',
      'g.json:6:98 nodes.again.onError.retry: must be >= 1, found 0 (More attempts after the first.)',
    ],
  },
  {
    name: 'params: wrong default, no value, unknown, unused',
    text: graph(
      [
        '"a": { "operator": "range", "config": { "count": "${n}" } }',
        '"b": { "operator": "range", "config": { "count": "${m}" } }',
        '"c": { "operator": "range", "config": { "count": "${nn}" } }',
      ],
      ['"params": { "n": { "type": "integer", "default": 1.5, "description": "N." },'].map(
        line =>
          `${line} "m": { "type": "integer", "description": "M." }, "x": { "type": "string", "default": "", "description": "X." } }`,
      ),
    ),
    problems: [
      'g.json:3:52 params.n.default: must be a whole number, found 1.5 (N.)',
      'g.json:3:80 params.m: must be given a value by --set m=VALUE',
      'g.json:3:129 params.x: must be used: no string of resources or nodes holds "${x}"',
      'g.json:7:54 nodes.c.config.count: must name a param of the graph, found "${nn}" (nearest "n")',
    ],
  },
  {
    name: 'the environment, undeclared',
    text: graph(['"a": { "operator": "range", "config": { "count": "${env:COUNT}" } }']),
    environment: { COUNT: '3' },
    problems: [
      'g.json:4:54 nodes.a.config.count: must name a variable that a param declares with "env": "COUNT", found "${env:COUNT}"',
    ],
  },
  {
    name: 'wrong settings from the command line',
    text: graph([count, end]),
    set: [
      'n=3',
      'nodes.count.config.count=many',
      'nodes.cuont.config.count=1',
      'nodes.count.config.cuont=1',
      'novalue',
      'nodes.count.operator.x=1',
    ],
    problems: [
      '--set novalue: must be key=value, found "novalue"',
      '--set n=3: must name a param of the graph, found n=3',
      '--set nodes.cuont.config.count=1: must name one of the graph\'s nodes, found "cuont" (nearest "count")',
      '--set nodes.count.operator.x=1: must be a path to a key of an object, found "nodes.count.operator.x"',
      '--set nodes.count.config.cuont=1: must be a known key, found "cuont" (nearest "count")',
      '--set nodes.count.config.count=many: must be a whole number, found "many" (How many numbers.)',
    ],
  },
  {
    name: 'resources: unknown type, wrong kind, missing, unused, in a circle',
    text: graph(
      [
        '"a": { "operator": "opens", "config": { "box": "bx" } }',
        '"b": { "operator": "opens", "config": { "box": "jar" } }',
      ],
      [
        '"resources": { "box": { "resource": "box", "config": { "name": "n" } }, "jar": { "resource": "jar" }, "x": { "resource": "bxo" },',
      ].map(
        line =>
          `${line} "p": { "resource": "box", "config": { "name": "p", "inner": "q" } }, "q": { "resource": "box", "config": { "name": "q", "inner": "p" } } }`,
      ),
    ),
    problems: [
      'g.json:3:18 resources.box: must be named by the config of a node or resource',
      'g.json:3:105 resources.x: must be named by the config of a node or resource',
      'g.json:3:124 resources.x.resource: must be a known resource type, found "bxo" (nearest "box")',
      'g.json:3:133 resources.p: must not need itself, found p → q → p',
      'g.json:5:52 nodes.a.config.box: must name a resource of kind "box", found "bx" (nearest "box")',
      'g.json:6:52 nodes.b.config.box: must name a resource of kind "box", found "jar" of kind "jar"',
    ],
  },
  {
    name: 'a sub-graph that is not there',
    text: graph(['"a": { "graph": "./no-such.json" }']),
    problems: [
      /^g\.json:4:21 nodes\.a\.graph: must be a file that can be read, found "\.\/no-such\.json" \(ENOENT/
        .source,
    ],
  },
  {
    name: 'a sub-graph that contains itself',
    text: graph(['"a": { "graph": "./g.json" }']),
    problems: ['g.json:4:21 nodes.a.graph: must not contain itself, found g.json → g.json'],
  },
  {
    name: 'frames of another number and size',
    text: graph([
      '"film": { "operator": "film", "config": { "count": 16, "side": 56 } }',
      '"look": { "operator": "look", "from": { "frames": "film.frames" } }',
      '"end": { "operator": "collect", "from": { "items": "look.features" } }',
    ]),
    problems: [
      'g.json:5:55 nodes.look.from.frames: must have dimension 1 = 8 for the input "frames", found dimension 1 = 16 from film.frames',
    ],
  },
  {
    name: 'frames of another size through a node that passes them on',
    text: graph([
      '"film": { "operator": "film", "config": { "count": 8, "side": 56 } }',
      '"large": { "operator": "film", "config": { "count": 8, "side": 384 } }',
      '"pass": { "operator": "pass", "from": { "items": "large.frames" } }',
      '"both": { "operator": "both", "from": { "one": "film.frames", "other": "pass.items" } }',
    ]),
    problems: [
      'g.json:7:76 nodes.both.from.other: must have S = 56 for the input "other", found S = 384 from pass.items',
    ],
  },
  {
    name: 'another size that the command line sets',
    text: graph([
      '"film": { "operator": "film", "config": { "count": 8 } }',
      '"look": { "operator": "look", "from": { "frames": "film.frames" } }',
      '"end": { "operator": "collect", "from": { "items": "look.features" } }',
    ]),
    set: ['nodes.film.config.count=4'],
    problems: [
      'g.json:5:55 nodes.look.from.frames: must have dimension 1 = 8 for the input "frames", found dimension 1 = 4 from film.frames',
    ],
  },
  {
    name: 'numbers of another format and tensors of another rank',
    text: graph([
      '"film": { "operator": "film", "config": { "count": 8 } }',
      '"half": { "operator": "half", "from": { "frames": "film.frames", "flat": "film.frames" } }',
    ]),
    problems: [
      'g.json:5:55 nodes.half.from.frames: must carry numbers in f16 for the input "frames", found f32 from film.frames',
      'g.json:5:78 nodes.half.from.flat: must have 2 dimensions for the input "flat", found 4 from film.frames',
    ],
  },
  {
    name: 'kinds that do not join behind a node that passes on',
    text: graph([
      '"words": { "operator": "words" }',
      '"pass": { "operator": "pass", "from": { "items": "words.words" } }',
      worker('"from": { "numbers": "pass.items" }'),
      '"end": { "operator": "collect", "from": { "items": "work.numbers" } }',
    ]),
    problems: [
      'g.json:6:56 nodes.work.from.numbers: must carry "number" for the input "numbers", found "word" from pass.items',
    ],
  },
  {
    name: 'a batch that a feedback edge can never fill',
    text: graph([
      count,
      '"gated": { "operator": "gated", "from": { "numbers": "count.numbers", "back": { "edge": "pile.numbers", "keep": "latest", "initial": 0, "maxLag": 1 } } }',
      '"pile": { "operator": "pile", "config": { "size": 3 }, "from": { "numbers": "gated.numbers" } }',
    ]),
    problems: [
      'g.json:6:81 nodes.pile.from.numbers: must be fed 3 items before it emits any, and only 2 can be in the cycle (maxLag 1), found "pile" within the cycle gated → … → pile.numbers',
    ],
  },
  {
    name: 'a node within a sub-graph that the command line misnames',
    text: graph([count, end]),
    set: ['nodes.sub/inner.config.x=1', 'resources.nothing.config.x=1'],
    problems: [
      '--set nodes.sub/inner.config.x=1: must name one of the graph\'s nodes, found "sub/inner" (known: count, end)',
      '--set resources.nothing.config.x=1: must be a path that the graph has, found "resources" (known: version, summary, nodes)',
    ],
  },
  {
    name: 'a string that does not end',
    text: '{\n  "version: 1\n}',
    problems: [
      'g.json:2:3: must end the string with a double quote on the same line',
      'g.json:3:1: must be a colon after the key',
    ],
  },
  {
    name: 'an escape that JSON does not have',
    text: '{ "version": 1, "summary": "\\x" }',
    problems: ['g.json:1:28: must be one of the escapes that JSON has'],
  },
  {
    name: 'a missing comma',
    text: '{\n  "version": 1\n  "summary": "S."\n}',
    problems: ['g.json:3:3: must be a comma between two values'],
  },
  {
    name: 'a word that is no value',
    text: '{ "version": one }',
    problems: ['g.json:1:14: must be a JSON value: this word or sign is not'],
  },
  {
    name: 'a reserved name',
    text: '{ "version": 1, "summary": "S.", "nodes": { "__proto__": { "operator": "range" } } }',
    problems: ['g.json:1:45 nodes.__proto__: must not use this reserved name'],
  },
  {
    name: 'an empty summary and a version that is text',
    text: '{ "version": "1", "summary": " ", "nodes": { "count": { "operator": "range", "config": { "count": 1 } } } }',
    problems: [
      'g.json:1:14 version: must be 1, found "1" (Version of the format.)',
      'g.json:1:30 summary: must not be empty, found " " (What the graph does, in a sentence.)',
    ],
  },
  {
    name: 'a node that is no object, and one without an operator',
    text: graph(['"a": 3', '"b": { "from": {} }']),
    problems: [
      'g.json:4:10 nodes.a: must be an object, found 3',
      'g.json:5:10 nodes.b: must have "operator" (Name of the operator; `flow ops` lists them.)',
    ],
  },
  {
    name: 'a node that is both an operator and a sub-graph',
    text: graph([count, '"a": { "operator": "range", "graph": "./g.json" }']),
    problems: [
      'g.json:5:12 nodes.a.operator: must be a known key, found "operator" (known: graph, params, from)',
    ],
  },
  {
    name: 'params whose declaration is wrong',
    text: graph(
      ['"a": { "operator": "range", "config": { "count": "${n}" } }'],
      ['"params": { "n": { "type": "int", "description": "" } }'],
    ),
    problems: [
      'g.json:3:30 params.n.type: must be one of "string", "integer", "number", "boolean", "array", "object", found "int" (nearest "integer")',
      'g.json:3:52 params.n.description: must not be empty, found "" (What it means, in a sentence.)',
      'g.json:5:54 nodes.a.config.count: must name a param of the graph, found "${n}"',
    ],
  },
  {
    name: 'a secret that is out of range: its value is not shown',
    text: graph(
      ['"a": { "operator": "range", "config": { "count": "${n}" } }'],
      ['"params": { "n": { "type": "integer", "maximum": 3, "env": "COUNT", "description": "N." } }'],
    ),
    environment: { COUNT: '77' },
    problems: ['${env:COUNT}: must be <= 3 (N.)'],
  },
  {
    name: 'an input of the graph that leads nowhere',
    text: graph([count], ['"inputs": { "in": "cuont.x" }']),
    problems: ['g.json:3:21 inputs.in: must feed a node of this graph, found "cuont.x" (nearest "count")'],
  },
]
