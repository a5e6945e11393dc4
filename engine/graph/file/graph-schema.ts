import { partSchema } from './part-schema.ts'
import type { Schema } from './schema.ts'

const namePattern = '^[A-Za-z][A-Za-z0-9_-]*$'
const name: Schema = { pattern: namePattern }
const endPattern = '^[A-Za-z][A-Za-z0-9_/-]*\\.[A-Za-z][A-Za-z0-9_-]*$'

/** The items that an edge holds before `whenFull` decides. The limit that is reached first counts. */
export const defaultCapacity = { items: 4, bytes: 1_073_741_824 } as const

/** Checkpoints that stay when the graph does not state a number. */
const defaultKeep = 2

const capacity: Schema = {
  type: 'object',
  description: 'How much waits on the edge before `whenFull` decides. It never grows by itself.',
  default: defaultCapacity,
  additionalProperties: false,
  properties: {
    items: {
      type: 'integer',
      minimum: 1,
      default: defaultCapacity.items,
      description: 'Items that may wait.',
    },
    bytes: {
      type: 'number',
      exclusiveMinimum: 0,
      default: defaultCapacity.bytes,
      description: 'Bytes of the waiting items together; one item of any size always fits.',
    },
  },
}

const edgeProperties: Readonly<Record<string, Schema>> = {
  edge: { type: 'string', pattern: endPattern, description: 'The producing end: `node.port`.' },
  capacity,
  whenFull: {
    type: 'string',
    enum: ['block', 'drop-oldest', 'error'],
    default: 'block',
    description:
      'When the edge is full: make the producer wait, drop the item that has waited longest, or end the run.',
  },
  keep: {
    type: 'string',
    enum: ['all', 'latest'],
    default: 'all',
    description: '`latest`: the consumer sees the newest item only; older ones are dropped.',
  },
  initial: { description: 'A value that is on the edge at the start. A cycle needs one.' },
  maxLag: {
    type: 'integer',
    minimum: 0,
    description:
      'Items that the consumer may take before this edge has answered an earlier one. 0: it takes the next item only ' +
      'after the answer to the last one (strictly on-policy).',
  },
}

const edge: Schema = {
  type: ['string', 'object'],
  description: 'A producing end, `node.port`, or an object that says more about the edge.',
  pattern: endPattern,
  required: ['edge'],
  additionalProperties: false,
  properties: edgeProperties,
}

const from: Schema = {
  type: 'object',
  description: 'Where each input comes from.',
  propertyNames: name,
  additionalProperties: {
    ...edge,
    type: ['string', 'object', 'array'],
    description:
      'A producing end `node.port`, an object that says more about the edge, or a list of these (fan-in).',
    minItems: 1,
    items: edge,
  },
}

const param: Schema = {
  type: 'object',
  required: ['type', 'description'],
  additionalProperties: false,
  properties: {
    type: {
      type: 'string',
      enum: ['string', 'integer', 'number', 'boolean', 'array', 'object'],
      description: 'JSON type of the value.',
    },
    description: { type: 'string', pattern: '\\S', description: 'What it means, in a sentence.' },
    default: { description: 'Its value when nothing sets it. Without one, `--set` is needed.' },
    product: {
      type: 'array',
      minItems: 1,
      items: { type: ['string', 'number'] },
      description:
        'Names of params, and numbers: their product is the value when nothing gives one. A value that differs is a warning.',
    },
    sum: {
      type: 'array',
      minItems: 1,
      items: { type: ['string', 'number'] },
      description: 'Names of params, and numbers: their sum is the value when nothing gives one.',
    },
    minimum: { type: 'number', description: 'Smallest value.' },
    exclusiveMinimum: { type: 'number', description: 'The value must be greater.' },
    maximum: { type: 'number', description: 'Largest value.' },
    enum: { type: 'array', minItems: 1, description: 'The values allowed.' },
    env: {
      type: 'string',
      pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
      description: 'Environment variable that gives the value when it is set; also written `${env:NAME}`.',
    },
  },
}

const resource: Schema = {
  type: 'object',
  required: ['resource'],
  additionalProperties: false,
  properties: {
    resource: { type: 'string', description: 'Name of the resource type; `flow ops` lists them.' },
    config: { type: 'object', default: {}, description: 'Its settings.' },
  },
}

const node: Schema = {
  type: 'object',
  properties: {
    operator: { type: 'string', description: 'Name of the operator; `flow ops` lists them.' },
    graph: {
      type: 'string',
      description:
        'Path of a sub-graph, relative to this file, or `flow:NAME` of a graph of flow; its nodes take the place of this one.',
    },
    params: { type: 'object', default: {}, description: 'Values for the params of the sub-graph.' },
    config: { type: 'object', default: {}, description: 'Settings of the operator.' },
    from,
    onError: {
      type: ['string', 'object'],
      default: 'stop',
      description:
        'When an item fails: `stop` ends the run; `skip` puts it into dead-letters.jsonl and goes on; ' +
        '`{ "retry": n }` tries n more times, then stops; `{ "skip": 0.05 }` skips at most this share of the items. ' +
        'A fault of the machine (a full disk, a killed child, a lost GPU) is never skipped: it ends the run.',
      if: { type: 'string' },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
      then: { enum: ['stop', 'skip'] },
      minProperties: 1,
      additionalProperties: false,
      properties: {
        retry: { type: 'integer', minimum: 1, description: 'Number of attempts after the first one.' },
        backoffMs: {
          type: 'number',
          minimum: 0,
          default: 0,
          description: 'Milliseconds before the second attempt; each later one waits twice as long.',
        },
        skip: {
          type: 'number',
          minimum: 0,
          maximum: 1,
          description:
            'Skips what fails. The run fails when it has skipped more than this share of its items; fewer than 100 count as 100 until it ends.',
        },
        otherwise: {
          type: 'string',
          enum: ['stop', 'skip'],
          default: 'stop',
          description: 'What to do when the last attempt fails, too.',
        },
      },
    },
    parallel: {
      type: 'integer',
      minimum: 1,
      description:
        'Items that the operator works on at the same time, in place of its own choice. The order of the output is ' +
        'that of the input all the same. Only for operators that work item by item.',
    },
  },
  if: { required: ['graph'] },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
  then: { propertyNames: { enum: ['graph', 'params', 'from'] } },
  else: {
    required: ['operator'],
    propertyNames: { enum: ['operator', 'config', 'from', 'onError', 'parallel'] },
  },
}

/** The schema of every graph file, whatever operators there are. Validation fills in its defaults. */
export const graphSchema: Schema = {
  type: 'object',
  required: ['version', 'summary', 'nodes'],
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', description: 'Path of schemas/graph.json, for editors.' },
    extends: {
      type: 'string',
      pattern: '\\S',
      description:
        'Path of a graph file, relative to this one, or `flow:NAME` of a graph of flow: this file states only what differs from it. Objects are merged, ' +
        'other values replaced, and null removes a key (RFC 7396).',
    },
    version: { const: 1, description: 'Version of the format.' },
    summary: { type: 'string', pattern: '\\S', description: 'What the graph does, in a sentence.' },
    plugins: {
      type: 'array',
      default: [],
      description: 'Modules with further operators: a path relative to this file (`./ops.js`), or a package.',
      items: { type: 'string', pattern: '\\S' },
    },
    params: {
      type: 'object',
      default: {},
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
      description: 'Named values: `${name}` in resources, nodes or checkpoint is replaced by the value.',
      propertyNames: name,
      additionalProperties: param,
    },
    inputs: {
      type: 'object',
      default: {},
      description: 'Of a sub-graph: input name to the `node.port` (or list of them) that it feeds.',
      propertyNames: name,
      additionalProperties: {
        type: ['string', 'array'],
        pattern: endPattern,
        minItems: 1,
        items: { type: 'string', pattern: endPattern },
      },
    },
    outputs: {
      type: 'object',
      default: {},
      description: 'Of a sub-graph: output name to the `node.port` that feeds it.',
      propertyNames: name,
      additionalProperties: { type: 'string', pattern: endPattern },
    },
    checkpoint: {
      type: 'object',
      description:
        'Saves what a stopped run needs to go on, in `checkpoints/` of the run: at intervals, at the end and when ' +
        'interrupted. Ignored in a sub-graph.',
      required: ['every'],
      additionalProperties: false,
      properties: {
        every: {
          type: 'integer',
          minimum: 0,
          description:
            'Items that each source gives between two checkpoints; 0: only at the end and when interrupted.',
        },
        keep: {
          type: 'integer',
          minimum: 1,
          default: defaultKeep,
          description: 'Newest checkpoints that stay on disk.',
        },
        best: {
          type: 'string',
          default: '',
          description:
            'Metric in `metrics.jsonl`: the checkpoint before which its mean was greatest stays, too; empty for none.',
        },
      },
    },
    resources: {
      type: 'object',
      default: {},
      description: 'Things with a lifetime that nodes share: models, optimizers. Config names them.',
      propertyNames: name,
      additionalProperties: resource,
    },
    parts: {
      type: 'object',
      default: {},
      description:
        'Nodes that `flow run --over` or `--workers` gives to other processes, item by item; without these flags all run in one process.',
      propertyNames: name,
      additionalProperties: partSchema,
    },
    nodes: {
      type: 'object',
      minProperties: 1,
      description: 'The steps of the graph by name.',
      propertyNames: name,
      additionalProperties: node,
    },
  },
}
