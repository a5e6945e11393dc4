import { join } from 'node:path'
import { checked, data, file, graph, type Mistake, mistake, rows } from './mistake.ts'
import { newcomerMistakes } from './newcomer-mistakes.ts'
import { pluginMistakes } from './plugin-mistakes.ts'

const smallestPicture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const commands: readonly Mistake[] = [
  mistake('a verb with two letters swapped', 'rnu flow:grpo.json'),
  mistake('no graph', 'run'),
  mistake('two graphs', 'run a.json b.json'),
  mistake('a graph that is not there', 'run grop.json'),
  mistake('a graph of flow by its place in the repository', 'run graphs/presets/trl-grpo.json'),
  mistake('a folder as a graph', 'check .'),
  mistake('a flag with a letter too much', 'run flow:grpo.json --seeed 1'),
  mistake('a flag without its value', 'run flow:grpo.json --seed'),
  mistake('a seed below 0', 'run flow:grpo.json --seed -1'),
  mistake('a level of the log that there is not', 'run flow:grpo.json --log-level loud'),
  mistake('memory that is no number', 'run flow:grpo.json --memory much'),
  mistake('too little memory', 'run flow:grpo.json --memory 1MB --set model=builtin:cold-start'),
  mistake('steps of a new run as a flag', 'run flow:grpo.json --steps 3'),
  mistake('workers and GPUs at once', 'run flow:grpo.json --workers 2 --gpus 0,1'),
  mistake('workers and GPUs at once, to explain', 'explain flow:grpo.json --workers 2 --gpus 0,1'),
  mistake(
    'a server and workers of its own at once',
    'run flow:grpo.json --over nats://localhost --workers 2',
  ),
  mistake('a run to go on with that is not there', 'run --resume runs/none'),
  mistake('a folder to go on with that is no run', 'run --resume .'),
  mistake('a new run in the folder of another', 'run g.json --out run', {
    ...data,
    'g.json': graph({ rows, file }),
    'run/manifest.json': '{}',
  }),
  mistake('a run below a file', 'run g.json --out rows.jsonl/run', {
    ...data,
    'g.json': graph({ rows, file }),
  }),
  mistake('the help of an operator with a letter missing', 'ops video.deode'),
  mistake('a folder that holds no runs', 'show nowhere'),
  mistake('a look at a run that is not there', 'top runs/none'),
  { name: 'a name that no operator may have', command: ['new', 'operator', 'My Shout'] },
  mistake('something new that cannot be made', 'new opreator my.shout'),
  mistake('a form of picture that there is not', 'graph flow:grpo.json --format png'),
  mistake('two runs to compare that are not there', 'diff a b'),
  mistake('folders to compare that are no runs', 'diff a b', { 'a/x.txt': '', 'b/x.txt': '' }),
  mistake('a graph to compare with a letter missing', 'diff flow:grpo.json trin.json', {
    'train.json': '{}',
  }),
  mistake('a file where results are merged', 'merge rows.jsonl --out whole', data),
  mistake('a file where results are compared', 'compare rows.jsonl rows.jsonl', data),
  mistake('a table of a file', 'table rows.jsonl', data),
  mistake('an export of a file', 'export rows.jsonl --as published --out here', data),
  mistake('a file where a run is shown', 'show rows.jsonl', data),
  mistake('a file where a run is looked at', 'top rows.jsonl', data),
  mistake('a file where an item is repeated', 'replay rows.jsonl --item 1', data),
  mistake('a file to go on with', 'run --resume rows.jsonl', data),
  mistake('a file where runs are listed', 'ls rows.jsonl', data),
  mistake('a new run in place of a file', 'run flow:grpo.json --out rows.jsonl', data),
  mistake('a new operator in place of a file', 'new operator my.a --out rows.jsonl', data),
  mistake('a new graph in place of a file', 'new graph my-a --out rows.jsonl', data),
  mistake('a new kernel in place of a file', 'new kernel my-a --out rows.jsonl', data),
  mistake('a new tower below a file', 'new tower my-a --out rows.jsonl/towers', data),
  mistake('a new graph where there is one', 'new graph my-a --out .', { 'my-a.json': '{}' }),
  mistake(
    'a new checkpoint in place of a file',
    'new checkpoint --config builtin:configurations/small.json --out rows.jsonl',
    data,
  ),
  mistake('a schema in place of a folder', 'schema --out folder', { 'folder/x': '' }),
  mistake('an export of results that are not there', 'export nowhere --as published --out here'),
]

const settings: readonly Mistake[] = [
  mistake('a param with two letters swapped', 'check flow:grpo.json --set gruop=4'),
  mistake('a param without a value', 'check flow:grpo.json --set group'),
  mistake('words where a number must be', 'check flow:grpo.json --set steps=many'),
  mistake('a group of one', 'check flow:grpo.json --set group=1'),
  mistake('a precision that there is not', 'check flow:grpo.json --set precision=fp16'),
  mistake('a path to a node that there is not', 'check flow:grpo.json --set nodes.updte.config.beta=0'),
  mistake('a path to a field that there is not', 'check flow:grpo.json --set nodes.update.config.bta=0'),
  mistake('params that must be given', 'check flow:infer.json'),
  mistake('a model that is not there', 'check flow:grpo.json --set model=/nope'),
  mistake('built-in data that there is not', 'check flow:grpo.json --set data=builtin:shape'),
  mistake('parts to train that are none', 'check flow:grpo.json --set resources.policy.config.train=[]'),
  mistake(
    'a file that is not there to ask about',
    'check flow:infer.json --set video=a.mp4 --set question=What?',
  ),
  mistake('fewer rows than steps', 'check flow:grpo.json --set data=train.jsonl --set steps=100', {
    'train.jsonl': '{"video_filename": "./a", "problem": "Which?", "solution": "A"}\n',
    'a/1.png': smallestPicture,
  }),
  {
    name: 'a cache that is a file',
    command: ['check', 'flow:coldstart.json'],
    files: { cache: '' },
    before: folder => {
      process.env.FLOW_CACHE = join(folder, 'cache')
    },
  },
  {
    name: 'a cache of the hub that is a file',
    command: ['check', 'flow:grpo.json', '--set', 'model=Nobody/nothing'],
    files: { huggingface: '' },
    before: folder => {
      process.env.HF_HOME = join(folder, 'huggingface')
    },
  },
  {
    name: 'a cache of the hub below a file',
    command: ['check', 'flow:grpo.json', '--set', 'data=hf:Nobody/nothing/rows.jsonl'],
    files: { file: '' },
    before: folder => {
      process.env.HF_HUB_CACHE = join(folder, 'file/hub')
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
  mistake('a comma at the end of a list', 'check g.json', {
    'g.json': '{\n  "version": 1,\n  "summary": "S.",\n  "nodes": {},\n}\n',
  }),
  mistake('single quotes', 'check g.json', { 'g.json': "{ 'version': 1 }\n" }),
  mistake('an empty object', 'check g.json', { 'g.json': '{}' }),
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
  mistake('a base that is not there', 'check g.json', {
    'g.json': '{ "extends": "flow:gropo.json", "summary": "S." }',
  }),
  mistake('names that a base does not have', 'check g.json', {
    'g.json':
      '{\n  "extends": "flow:grpo.json",\n  "params": { "stesp": { "default": 3 } },\n  "resources": { "polcy": { "config": {} } },\n  "nodes": { "grups": { "config": { "temperature": 1 } } }\n}',
  }),
  checked('an expression that does not end', {
    rows,
    made: { operator: 'stream.filter', config: { where: '$contains(title' }, from: { items: 'rows.items' } },
    file: { ...file, from: { items: 'made.items' } },
  }),
  checked('a file of rows that is not there', { rows: { ...rows, config: { path: 'row.jsonl' } }, file }),
  mistake('a row without a question where one is needed', 'run g.json --out run', {
    'rows.jsonl': '{"title": "A cat"}\n',
    'g.json': graph({
      rows,
      clips: { operator: 'video.decode', from: { samples: 'rows.items' } },
      facts: { operator: 'video.describe', from: { clips: 'clips.clips' } },
      file: { ...file, from: { items: 'facts.rows' } },
    }),
  }),
  mistake('a field that a row does not have', 'run g.json --out run', {
    ...data,
    'g.json': graph({
      rows,
      few: { operator: 'stream.select', config: { fields: ['questoin'] }, from: { items: 'rows.items' } },
      file: { ...file, from: { items: 'few.items' } },
    }),
  }),
]

export const mistakes = [...commands, ...settings, ...graphs, ...pluginMistakes, ...newcomerMistakes]
