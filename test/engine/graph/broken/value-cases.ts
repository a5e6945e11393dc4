// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import { type Case, count, end, graph, takes, worker } from './case.ts'

/** Operators, config, params, settings, resources and sub-graphs that are wrong. */
export const valueCases: readonly Case[] = [
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
      'g.json:4:45 nodes.a.config.cont: must be a known key, found "cont" (nearest "count")',
      'g.json:5:54 nodes.b.config.count: must be a whole number, found "3" (How many numbers.)',
      'g.json:6:54 nodes.c.config.count: must be >= 0, found -1 (How many numbers.)',
      'g.json:7:5 nodes.d.config: must have "count" (How many numbers.)',
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
      'g.json:5:86 nodes.work.onError: must be one of "stop", "skip", found "ignore" (When an item fails: `stop` ends the run; `skip` puts it into dead-letters.jsonl and goes on; `{ "retry": n }` tries n more times, then stops; `{ "skip": 0.05 }` skips at most this share of the items. A fault of the machine (a full disk, a killed child, a lost GPU) is never skipped: it ends the run.)',
      'g.json:6:98 nodes.again.onError.retry: must be >= 1, found 0 (Number of attempts after the first one.)',
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
      '--set n=3: must name a param of the graph, found n=3 (it has none)',
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
      /^g\.json:4:21 nodes\.a\.graph: must be a file that can be read, found "\.\/no-such\.json" \(no such file\)/
        .source,
    ],
  },
  {
    name: 'a sub-graph that contains itself',
    text: graph(['"a": { "graph": "./g.json" }']),
    problems: ['g.json:4:21 nodes.a.graph: must not contain itself, found g.json → g.json'],
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
    name: 'a reserved name on the command line',
    text: graph([count, end]),
    set: [
      'nodes.__proto__.config.x=1',
      'nodes.count.config.__proto__=1',
      'nodes.constructor.prototype.x=1',
      'constructor=1',
      'nodes.toString.config.x=1',
    ],
    problems: [
      '--set nodes.__proto__.config.x=1: must not use a reserved name, found "__proto__"',
      '--set nodes.count.config.__proto__=1: must not use a reserved name, found "__proto__"',
      '--set nodes.constructor.prototype.x=1: must not use a reserved name, found "constructor"',
      '--set constructor=1: must not use a reserved name, found "constructor"',
      '--set nodes.toString.config.x=1: must name one of the graph\'s nodes, found "toString" (known: count, end)',
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
    name: 'a graph that extends a file that is not there',
    text: '{\n  "extends": "no-such.json",\n  "summary": "S."\n}',
    problems: [
      '^g\\.json:2:14 extends: must be a file that can be read, found "no-such\\.json" \\(no such file\\)$',
    ],
  },
  {
    name: 'a graph that extends itself',
    text: '{ "extends": "./g.json" }',
    problems: ['g.json:1:14 extends: must not extend itself, found g.json → g.json'],
  },
]
