import { data, type Mistake, mistake } from './mistake.ts'

const training = (data: string): string => `check flow:grpo.json --set data=${data}`

/** Mistakes of somebody who knows other trainers. */
export const newcomerMistakes: readonly Mistake[] = [
  mistake('a param by its name in TRL', 'check flow:grpo.json --set num_generations=8'),
  mistake('a param of TRL with a letter missing', 'check flow:grpo.json --set num_generation=8'),
  mistake(
    'a field of a node by its name in TRL',
    'check flow:grpo.json --set nodes.groups.config.num_generations=8',
  ),
  mistake('the page of a run instead of the run', 'view run/report.html', {
    'run/report.html': '{}',
    'run/manifest.json': '{}',
  }),
  mistake('a flag of TRL as a param', 'check flow:grpo.json --set output_dir=out'),
  mistake('a setting that no param is', 'check flow:grpo.json --set alpha=16'),
  mistake('a space in a setting', 'check flow:grpo.json --set steps 10'),
  mistake('a second setting without its flag', 'check flow:grpo.json --set steps=10 group=4'),
  mistake('a verb of other programs', 'train flow:grpo.json'),
  mistake('a graph without its ending', 'run grpo'),
  mistake('a home folder that no shell has seen', 'check flow:grpo.json --set model=~/models/x'),
  mistake('rows as TRL has them', training('trl.jsonl'), {
    'trl.jsonl': '{"video": "a.mp4", "prompt": "Which?", "answer": "A"}\n',
  }),
  mistake('conversations where questions are asked for', training('chat.jsonl'), {
    'chat.jsonl': '{"messages": [], "video": "a.mp4"}\n',
  }),
  mistake('a list of rows that is called lines', training('list.jsonl'), {
    'list.jsonl': '[{"video": "a.mp4"}]\n',
  }),
  mistake('rows inside an object', training('split.json'), {
    'split.json': '{"train": [{"video": "a.mp4"}]}\n',
  }),
  mistake('semicolons in a table', training('rows.csv'), {
    'rows.csv': 'video;question;a;b;answer\na.mp4;Which?;x;y;A\n',
  }),
  mistake('an answer by its text', training('rows.csv'), {
    'rows.csv': 'video,question,a,b,answer\na.mp4,Which?,x,y,y\n',
  }),
  mistake('an adapter where a model is asked for', 'check flow:grpo.json --set model=./trained', {
    'trained/adapter_config.json': '{}',
  }),
  mistake('a run where a model is asked for', 'check flow:grpo.json --set model=./run', {
    'run/checkpoints/last/policy/config.json': '{}',
  }),
  mistake('a checkpoint of LoRA where a model is asked for', 'check flow:grpo.json --set model=./policy', {
    'policy/adapter/adapter_config.json': '{"base_model_name_or_path": "OWNER/NAME"}',
  }),
  mistake('more learners than questions in an update', 'run flow:grpo.json --learners 2'),
  mistake('a checkpoint where a run is asked for', 'run --resume run/checkpoints/last', {
    'run/manifest.json': '{}',
    'run/checkpoints/last/digests.json': '{}',
  }),
  mistake('a reward in Python', 'ops --plugin ./reward.py', {
    'reward.py': 'def reward(completions): return [1.0]\n',
  }),
  mistake('a plugin by its name alone', 'ops --plugin mine.mjs', { 'mine.mjs': 'export const api = 1\n' }),
  mistake('a plugin that exports by default', 'ops --plugin ./mine.mjs', {
    'mine.mjs': 'export const api = 1\nexport default () => 1\n',
  }),
  mistake('columns of other names', training('mine.jsonl'), {
    'mine.jsonl': '{"clip":"red.mp4","q":"Which?","choices":["left","right"],"label":"B"}\n'.repeat(12),
  }),
  mistake('a reward with a slip in its name', 'check kept.json', {
    'kept.json': JSON.stringify({
      extends: 'flow:grpo.json',
      nodes: {
        kept: {
          operator: 'group.keep',
          config: { least: 1, reward: 'acuracy' },
          from: { groups: 'rewards.groups' },
        },
        advantages: { from: { groups: 'kept.groups' } },
      },
    }),
  }),
  mistake('a plugin that is a folder', 'ops --plugin ./mine', {
    'mine/operators.mjs': 'export const api = 1\n',
    'mine/README.md': 'Operators.\n',
  }),
  mistake('a plugin that is not there', 'ops --plugin ./operaters.mjs', {
    'operators.mjs': 'export const api = 1\n',
  }),
  mistake('a preset of a folder', 'new preset mine --extends presets', { 'presets/one.json': '{}' }),
  mistake('a preset of data', 'new preset mine --extends rows.jsonl', data),
  mistake('a preset of a graph that is not there', 'new preset mine --extends flow:grop.json'),
  mistake('more tokens than the model has positions', 'check flow:grpo.json --set maxNewTokens=100000'),
]
