import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mistake } from './mistake.ts'

const asGiven = (name: string, ...command: string[]): Mistake => ({ name, command })

/** Mistakes of somebody who knows other trainers. */
export const newcomerMistakes: readonly Mistake[] = [
  asGiven('a param by its name in TRL', 'check', 'flow:grpo.json', '--set', 'num_generations=8'),
  asGiven('a param of TRL with a letter missing', 'check', 'flow:grpo.json', '--set', 'num_generation=8'),
  asGiven(
    'a field of a node by its name in TRL',
    'check',
    'flow:grpo.json',
    '--set',
    'nodes.groups.config.num_generations=8',
  ),
  {
    name: 'the page of a run instead of the run',
    command: ['view', 'run/report.html'],
    before: folder => {
      mkdirSync(join(folder, 'run'))
      for (const name of ['report.html', 'manifest.json']) writeFileSync(join(folder, 'run', name), '{}')
    },
  },
  asGiven('a flag of TRL as a param', 'check', 'flow:grpo.json', '--set', 'output_dir=out'),
  asGiven('a setting that no param is', 'check', 'flow:grpo.json', '--set', 'alpha=16'),
  asGiven('a space in a setting', 'check', 'flow:grpo.json', '--set', 'steps', '10'),
  asGiven('a second setting without its flag', 'check', 'flow:grpo.json', '--set', 'steps=10', 'group=4'),
  asGiven('a verb of other programs', 'train', 'flow:grpo.json'),
  asGiven('a graph without its ending', 'run', 'grpo'),
  asGiven('a home folder that no shell has seen', 'check', 'flow:grpo.json', '--set', 'model=~/models/x'),
  {
    name: 'rows as TRL has them',
    command: ['check', 'flow:grpo.json', '--set', 'data=trl.jsonl'],
    files: { 'trl.jsonl': '{"video": "a.mp4", "prompt": "Which?", "answer": "A"}\n' },
  },
  {
    name: 'conversations where questions are asked for',
    command: ['check', 'flow:grpo.json', '--set', 'data=chat.jsonl'],
    files: { 'chat.jsonl': '{"messages": [], "video": "a.mp4"}\n' },
  },
  {
    name: 'a list of rows that is called lines',
    command: ['check', 'flow:grpo.json', '--set', 'data=list.jsonl'],
    files: { 'list.jsonl': '[{"video": "a.mp4"}]\n' },
  },
  {
    name: 'rows inside an object',
    command: ['check', 'flow:grpo.json', '--set', 'data=split.json'],
    files: { 'split.json': '{"train": [{"video": "a.mp4"}]}\n' },
  },
  {
    name: 'semicolons in a table',
    command: ['check', 'flow:grpo.json', '--set', 'data=rows.csv'],
    files: { 'rows.csv': 'video;question;a;b;answer\na.mp4;Which?;x;y;A\n' },
  },
  {
    name: 'an answer by its text',
    command: ['check', 'flow:grpo.json', '--set', 'data=rows.csv'],
    files: { 'rows.csv': 'video,question,a,b,answer\na.mp4,Which?,x,y,y\n' },
  },
  {
    name: 'an adapter where a model is asked for',
    command: ['check', 'flow:grpo.json', '--set', 'model=./trained'],
    before: folder => {
      mkdirSync(join(folder, 'trained'))
      writeFileSync(join(folder, 'trained/adapter_config.json'), '{}')
    },
  },
  {
    name: 'a run where a model is asked for',
    command: ['check', 'flow:grpo.json', '--set', 'model=./run'],
    before: folder => {
      mkdirSync(join(folder, 'run/checkpoints/last/policy'), { recursive: true })
      writeFileSync(join(folder, 'run/checkpoints/last/policy/config.json'), '{}')
    },
  },
  {
    name: 'a checkpoint where a run is asked for',
    command: ['run', '--resume', 'run/checkpoints/last'],
    before: folder => {
      mkdirSync(join(folder, 'run/checkpoints/last'), { recursive: true })
      writeFileSync(join(folder, 'run/manifest.json'), '{}')
    },
  },
  {
    name: 'a reward in Python',
    command: ['ops', '--plugin', './reward.py'],
    files: { 'reward.py': 'def reward(completions): return [1.0]\n' },
  },
  {
    name: 'a plugin by its name alone',
    command: ['ops', '--plugin', 'mine.mjs'],
    files: { 'mine.mjs': 'export const api = 1\n' },
  },
  {
    name: 'a plugin that exports by default',
    command: ['ops', '--plugin', './mine.mjs'],
    files: { 'mine.mjs': 'export const api = 1\nexport default () => 1\n' },
  },
  {
    name: 'columns of other names',
    command: ['check', 'flow:grpo.json', '--set', 'data=mine.jsonl'],
    files: {
      'mine.jsonl': '{"clip":"red.mp4","q":"Which?","choices":["left","right"],"label":"B"}\n'.repeat(12),
    },
  },
  {
    name: 'a reward with a slip in its name',
    command: ['check', 'kept.json'],
    files: {
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
    },
  },
  {
    name: 'more tokens than the model has positions',
    command: ['check', 'flow:grpo.json', '--set', 'maxNewTokens=100000'],
  },
]
