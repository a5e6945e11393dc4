import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checked, data, file, graph, type Mistake, rows } from './mistake.ts'
import { newcomerMistakes } from './newcomer-mistakes.ts'
import { pluginMistakes } from './plugin-mistakes.ts'

const asGiven = (name: string, ...command: string[]): Mistake => ({ name, command })

const commands: readonly Mistake[] = [
  asGiven('a verb with two letters swapped', 'rnu', 'flow:grpo.json'),
  asGiven('no graph', 'run'),
  asGiven('two graphs', 'run', 'a.json', 'b.json'),
  asGiven('a graph that is not there', 'run', 'grop.json'),
  asGiven('a graph of flow by its place in the repository', 'run', 'graphs/presets/trl-grpo.json'),
  asGiven('a folder as a graph', 'check', '.'),
  asGiven('a flag with a letter too much', 'run', 'flow:grpo.json', '--seeed', '1'),
  asGiven('a flag without its value', 'run', 'flow:grpo.json', '--seed'),
  asGiven('a seed below 0', 'run', 'flow:grpo.json', '--seed', '-1'),
  asGiven('a level of the log that there is not', 'run', 'flow:grpo.json', '--log-level', 'loud'),
  asGiven('memory that is no number', 'run', 'flow:grpo.json', '--memory', 'much'),
  asGiven(
    'too little memory',
    'run',
    'flow:grpo.json',
    '--memory',
    '1MB',
    '--set',
    'model=builtin:cold-start',
  ),
  asGiven('steps of a new run as a flag', 'run', 'flow:grpo.json', '--steps', '3'),
  asGiven('a run to go on with that is not there', 'run', '--resume', 'runs/none'),
  asGiven('a folder to go on with that is no run', 'run', '--resume', '.'),
  {
    name: 'a new run in the folder of another',
    command: ['run', 'g.json', '--out', 'run'],
    files: { ...data, 'g.json': graph({ rows, file }) },
    before: folder => {
      mkdirSync(join(folder, 'run'))
      writeFileSync(join(folder, 'run/manifest.json'), '{}')
    },
  },
  {
    name: 'a run below a file',
    command: ['run', 'g.json', '--out', 'rows.jsonl/run'],
    files: { ...data, 'g.json': graph({ rows, file }) },
  },
  asGiven('the help of an operator with a letter missing', 'ops', 'video.deode'),
  asGiven('a folder that holds no runs', 'show', 'nowhere'),
  asGiven('a look at a run that is not there', 'top', 'runs/none'),
  asGiven('a name that no operator may have', 'new', 'operator', 'My Shout'),
  asGiven('something new that cannot be made', 'new', 'opreator', 'my.shout'),
  asGiven('a form of picture that there is not', 'graph', 'flow:grpo.json', '--format', 'png'),
  asGiven(
    'an export of results that are not there',
    'export',
    'nowhere',
    '--as',
    'published',
    '--out',
    'here',
  ),
]

const settings: readonly Mistake[] = [
  asGiven('a param with two letters swapped', 'check', 'flow:grpo.json', '--set', 'gruop=4'),
  asGiven('a param without a value', 'check', 'flow:grpo.json', '--set', 'group'),
  asGiven('words where a number must be', 'check', 'flow:grpo.json', '--set', 'steps=many'),
  asGiven('a group of one', 'check', 'flow:grpo.json', '--set', 'group=1'),
  asGiven('a precision that there is not', 'check', 'flow:grpo.json', '--set', 'precision=fp16'),
  asGiven(
    'a path to a node that there is not',
    'check',
    'flow:grpo.json',
    '--set',
    'nodes.updte.config.beta=0',
  ),
  asGiven(
    'a path to a field that there is not',
    'check',
    'flow:grpo.json',
    '--set',
    'nodes.update.config.bta=0',
  ),
  asGiven('params that must be given', 'check', 'flow:infer.json'),
  asGiven('a model that is not there', 'check', 'flow:grpo.json', '--set', 'model=/nope'),
  asGiven('built-in data that there is not', 'check', 'flow:grpo.json', '--set', 'data=builtin:shape'),
  asGiven(
    'parts to train that are none',
    'check',
    'flow:grpo.json',
    '--set',
    'resources.policy.config.train=[]',
  ),
  asGiven(
    'a file that is not there to ask about',
    'check',
    'flow:infer.json',
    '--set',
    'video=a.mp4',
    '--set',
    'question=What?',
  ),
  {
    name: 'fewer rows than steps',
    command: ['check', 'flow:grpo.json', '--set', 'data=train.jsonl', '--set', 'steps=100'],
    files: { 'train.jsonl': '{"video_filename": "./a", "problem": "Which?", "solution": "A"}\n' },
    before: folder => {
      mkdirSync(join(folder, 'a'))
      // the smallest picture that there is
      const picture =
        'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
      writeFileSync(join(folder, 'a/1.png'), Buffer.from(picture, 'base64'))
    },
  },
  {
    name: 'a cache that is a file',
    command: ['check', 'flow:coldstart.json'],
    files: { cache: '' },
    before: folder => {
      process.env.FLOW_CACHE = join(folder, 'cache')
    },
  },
  {
    name: 'an id of the hub while it must not be asked',
    command: ['check', 'flow:grpo.json', '--set', 'model=Nobody/nothing'],
    before: folder => {
      process.env.HF_HUB_OFFLINE = '1'
      process.env.HF_HUB_CACHE = folder
    },
  },
]

const graphs: readonly Mistake[] = [
  {
    name: 'a comma at the end of a list',
    command: ['check', 'g.json'],
    files: { 'g.json': '{\n  "version": 1,\n  "summary": "S.",\n  "nodes": {},\n}\n' },
  },
  {
    name: 'single quotes',
    command: ['check', 'g.json'],
    files: { 'g.json': "{ 'version': 1 }\n" },
  },
  {
    name: 'an empty object',
    command: ['check', 'g.json'],
    files: { 'g.json': '{}' },
  },
  checked('an operator with a letter missing', { rows: { ...rows, operator: 'read.jsnl' }, file }),
  checked('a field with a letter missing', { rows: { ...rows, config: { pth: 'rows.jsonl' } }, file }),
  checked('text where a number must be', {
    rows: { ...rows, config: { path: 'rows.jsonl', limit: 'ten' } },
    file,
  }),
  checked('an edge from a node that there is not', { rows, file: { ...file, from: { items: 'row.items' } } }),
  checked('an edge from a port that there is not', { rows, file: { ...file, from: { items: 'rows.rows' } } }),
  checked('an edge that names no port', { rows, file: { ...file, from: { items: 'rows' } } }),
  checked('an input that nothing feeds', { rows, file: { ...file, from: {} } }),
  checked('frames where clips must be', {
    samples: { operator: 'read.questions', config: { path: 'builtin:shapes/train.jsonl' } },
    groups: { operator: 'reward.accuracy', from: { groups: 'samples.samples' } },
  }),
  checked('a resource that there is not', {
    samples: { operator: 'read.questions', config: { path: 'builtin:shapes/train.jsonl' } },
    clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
    frames: { operator: 'video.sample', config: { model: 'model' }, from: { clips: 'clips.clips' } },
  }),
  checked('a cycle that nothing starts', {
    a: { operator: 'stream.take', config: { count: 1 }, from: { items: 'b.items' } },
    b: { operator: 'stream.take', config: { count: 1 }, from: { items: 'a.items' } },
  }),
  checked(
    'a param that nothing uses',
    { rows, file },
    {
      params: { count: { type: 'integer', default: 3, description: 'Rows.' } },
    },
  ),
  checked('a param that is not declared', { rows: { ...rows, config: { path: `\${data}` } }, file }),
  checked(
    'a variable of the environment that is not set',
    { rows: { ...rows, config: { path: `\${data}` } }, file },
    {
      params: { data: { type: 'string', env: 'MY_DATA', description: 'Rows.' } },
    },
  ),
  checked('a sub-graph that is not there, by an absolute path', {
    part: { graph: '/nowhere/part.json' },
    file: { ...file, from: { items: 'part.items' } },
  }),
  {
    name: 'a base that is not there',
    command: ['check', 'g.json'],
    files: { 'g.json': '{ "extends": "flow:gropo.json", "summary": "S." }' },
  },
  {
    name: 'names that a base does not have',
    command: ['check', 'g.json'],
    files: {
      'g.json':
        '{\n  "extends": "flow:grpo.json",\n  "params": { "stesp": { "default": 3 } },\n  "resources": { "polcy": { "config": {} } },\n  "nodes": { "grups": { "config": { "temperature": 1 } } }\n}',
    },
  },
  checked('an expression that does not end', {
    rows,
    made: { operator: 'stream.filter', config: { where: '$contains(title' }, from: { items: 'rows.items' } },
    file: { ...file, from: { items: 'made.items' } },
  }),
  checked('a file of rows that is not there', { rows: { ...rows, config: { path: 'row.jsonl' } }, file }),
  {
    name: 'a row without a question where one is needed',
    command: ['run', 'g.json', '--out', 'run'],
    files: {
      'rows.jsonl': '{"title": "A cat"}\n',
      'g.json': graph({
        rows,
        clips: { operator: 'video.decode', from: { samples: 'rows.items' } },
        facts: { operator: 'video.describe', from: { clips: 'clips.clips' } },
        file: { ...file, from: { items: 'facts.rows' } },
      }),
    },
  },
  {
    name: 'a field that a row does not have',
    command: ['run', 'g.json', '--out', 'run'],
    files: {
      ...data,
      'g.json': graph({
        rows,
        few: { operator: 'stream.select', config: { fields: ['questoin'] }, from: { items: 'rows.items' } },
        file: { ...file, from: { items: 'few.items' } },
      }),
    },
  },
]

export const mistakes = [...commands, ...settings, ...graphs, ...pluginMistakes, ...newcomerMistakes]
