// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import { type Case, count, graph } from './case.ts'

/** Text that is no JSON, and JSON that has not the structure of a graph. */
export const textCases: readonly Case[] = [
  {
    name: 'an empty file',
    text: '',
    problems: ['g.json:1:1: must hold one JSON object'],
  },
  {
    name: 'a trailing comma',
    text: '{\n  "version": 1,\n}',
    problems: ['g.json:2:15: must not end an object: a comma stands between two values'],
  },
  {
    name: 'a comment without an end',
    text: '{ "version": 1 } /* hello',
    problems: ['g.json:1:18: must end the comment with */'],
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
    name: 'a string that does not end',
    text: '{\n  "version: 1\n}',
    problems: ['g.json:2:3: must end the string with a double quote on the same line'],
  },
  {
    name: 'an escape that JSON does not have',
    text: '{ "version": 1, "summary": "\\x" }',
    problems: ['g.json:1:28: must be one of the escapes that JSON has'],
  },
  {
    name: 'a missing comma',
    text: '{\n  "version": 1\n  "summary": "S."\n}',
    problems: ['g.json:2:15: must be a comma between two values'],
  },
  {
    name: 'a word that is no value',
    text: '{ "version": one }',
    problems: ['g.json:1:14: must be in double quotes, found one'],
  },
  {
    name: 'a reserved name',
    text: '{ "version": 1, "summary": "S.", "nodes": { "__proto__": { "operator": "range" } } }',
    problems: ['g.json:1:45 nodes.__proto__: must not use this reserved name'],
  },
  {
    name: 'reserved names in params and config',
    text: '{ "version": 1, "summary": "S.", "params": { "constructor": {} }, "nodes": { "a": { "operator": "range", "config": { "prototype": 1 } } } }',
    problems: [
      'g.json:1:46 params.constructor: must not use this reserved name',
      'g.json:1:118 nodes.a.config.prototype: must not use this reserved name',
    ],
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
    ],
  },
  {
    name: 'slips of the pen at every level',
    text: `{
  "version": 1,
  "sumary": "Doubles.",
  "ressources": {},
  "nodes": {
    "count": { "operator": "range", "config": { "cont": 3 }, "onEror": "skip" },
    "work": { "operator": "work", "config": { "failat": 1 }, "form": {}, "from": { "number": { "edge": "count.numbers", "capasity": 2 } } }
  }
}`,
    problems: [
      'g.json:3:3 sumary: must be a known key, found "sumary" (nearest "summary")',
      'g.json:4:3 ressources: must be a known key, found "ressources" (nearest "resources")',
      'g.json:6:49 nodes.count.config.cont: must be a known key, found "cont" (nearest "count")',
      'g.json:6:62 nodes.count.onEror: must be a known key, found "onEror" (nearest "onError")',
      'g.json:7:47 nodes.work.config.failat: must be a known key, found "failat" (nearest "failAt")',
      'g.json:7:62 nodes.work.form: must be a known key, found "form" (nearest "from")',
      'g.json:7:84 nodes.work.from.number: must be an input of "work", found "number" (nearest "numbers")',
      'g.json:7:121 nodes.work.from.number.capasity: must be a known key, found "capasity" (nearest "capacity")',
    ],
  },
]
