import { type Case, count, graph, worker } from './case.ts'

/** Edges that connect nothing, or ends that do not fit. */
export const edgeCases: readonly Case[] = [
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
      'g.json:6:54 nodes.b.from.items: must be an output of "count", found "count.number" (nearest "count.numbers")',
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
    name: 'edges that name a node alone, one of them with a slip',
    text: graph([
      count,
      '"a": { "operator": "collect", "from": { "items": "count" } }',
      '"b": { "operator": "collect", "from": { "items": "cuont" } }',
      '"c": { "operator": "collect", "from": { "items": { "edge": "count" } } }',
    ]),
    problems: [
      '^g.json:5:54 .*found "count"',
      '^g.json:6:54 .*found "cuont"',
      '^g.json:7:64 .*found "count"',
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
      'g.json:8:54 nodes.d.from.items: must be next to another input when it has "maxLag", found count.numbers',
      'g.json:9:72 nodes.e.from.items.1: must be the only edge of its input when it keeps the latest, found count.numbers',
      'g.json:10:54 nodes.f.from.items: must have "edge" (The producing end: `node.port`.)',
    ],
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
    name: 'kinds that differ after a node that passes items on',
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
      'g.json:6:81 nodes.pile.from.numbers: must be fed 3 items before it emits any, and only 2 can be in the cycle (maxLag 1), found "pile" (pile) within the cycle gated → … → pile.numbers',
    ],
  },
  {
    name: 'a batch in a cycle after an operator that makes several items of one, how many is not known',
    text: graph([
      count,
      '"gated": { "operator": "gated", "from": { "numbers": "count.numbers", "back": { "edge": "pile.numbers", "keep": "latest", "initial": 0, "maxLag": 0 } } }',
      '"parts": { "operator": "parts", "from": { "numbers": "gated.numbers" } }',
      '"pile": { "operator": "pile", "config": { "size": 4 }, "from": { "numbers": "parts.numbers" } }',
    ]),
    problems: [
      'g.json:7:81 nodes.pile.from.numbers: must be fed 4 items before it emits any, and only 1 can be in the cycle (maxLag 0); how many items "parts" (parts) makes of one is not known, so it counts as one, found "pile" (pile) within the cycle gated → … → pile.numbers',
    ],
  },
  {
    name: 'two batches beside each other in a cycle, with an operator before one of them that may drop items',
    text: graph([
      count,
      '"gated": { "operator": "gated", "from": { "numbers": "count.numbers", "back": { "edge": "all.items", "keep": "latest", "initial": 0, "maxLag": 3 } } }',
      '"some": { "operator": "pass", "from": { "items": "gated.numbers" } }',
      '"pile": { "operator": "pile", "config": { "size": 4 }, "from": { "numbers": "some.items" } }',
      '"other": { "operator": "pile", "config": { "size": 3 }, "from": { "numbers": "gated.numbers" } }',
      '"rest": { "operator": "pass", "from": { "items": "other.numbers" } }',
      '"all": { "operator": "pass", "from": { "items": ["pile.numbers", "rest.items"] } }',
    ]),
    problems: [
      'g.json:8:82 nodes.other.from.numbers: must be fed 6 items before they emit any, and only 4 can be in the cycle (maxLag 3), found "other" (pile) and "pile" (pile) within the cycle gated → … → all.items',
    ],
  },
  {
    name: 'an operator in a cycle that waits for the end',
    text: graph([
      count,
      '"gated": { "operator": "gated", "from": { "numbers": "count.numbers", "back": { "edge": "sorted.numbers", "keep": "latest", "initial": 0, "maxLag": 5 } } }',
      '"sorted": { "operator": "sorted", "from": { "numbers": "gated.numbers" } }',
    ]),
    problems: [
      'g.json:6:60 nodes.sorted.from.numbers: must be fed all items before it emits any, and only 6 can be in the cycle (maxLag 5), found "sorted" (sorted) within the cycle gated → … → sorted.numbers',
    ],
  },
  {
    name: 'two ways that meet, one through an operator that waits for the end',
    text: graph([
      count,
      '"sorted": { "operator": "sorted", "from": { "numbers": "count.numbers" } }',
      '"meet": { "operator": "meet", "from": { "left": "sorted.numbers", "right": "count.numbers" } }',
    ]),
    problems: [
      'g.json:6:53 nodes.meet.from.left: must get both items of a pair while at most 2 wait at an input, and "sorted" on the way to it waits for all items, found "meet", which waits for pairs',
    ],
  },
  {
    name: 'two ways that meet, one through a list that is longer than items may wait',
    text: graph([
      count,
      '"pile": { "operator": "pile", "config": { "size": 3 }, "from": { "numbers": "count.numbers" } }',
      '"meet": { "operator": "meet", "from": { "left": "pile.numbers", "right": "count.numbers" } }',
    ]),
    problems: [
      'g.json:6:53 nodes.meet.from.left: must get both items of a pair while at most 2 wait at an input, and "pile" on the way to it makes one item of 3, found "meet", which waits for pairs',
    ],
  },
  {
    name: 'ways from two sources that meet, one through an operator that may drop items',
    text: graph([
      count,
      '"other": { "operator": "range", "config": { "count": 3 } }',
      '"pass": { "operator": "pass", "from": { "items": "other.numbers" } }',
      '"meet": { "operator": "meet", "from": { "left": "count.numbers", "right": "pass.items" } }',
    ]),
    problems: [
      'g.json:7:79 nodes.meet.from.right: must get both items of a pair, and "pass" (pass) may drop items on the way to it; whether a partner can still arrive is known only where one source feeds both ways, makes no several items of one, and no feedback edge is among them, found "meet", which waits for pairs',
    ],
  },
  {
    name: 'an input of the graph that leads nowhere',
    text: graph([count], ['"inputs": { "in": "cuont.x" }']),
    problems: ['g.json:3:21 inputs.in: must feed a node of this graph, found "cuont.x" (nearest "count")'],
  },
]
