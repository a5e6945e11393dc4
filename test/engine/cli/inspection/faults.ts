import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixture } from '../../../fixtures.ts'
import type { Fault } from './fault.ts'
import { otherFaults } from './own-faults.ts'

const model = (folder: string, name: string) => join(folder, 'model', name)

/** Replaces text in a file; the fault would not be there if nothing was replaced. */
function replace(file: string, before: string | RegExp, after: string): void {
  const text = readFileSync(file, 'latin1')
  const changed = text.replace(before, after)
  if (changed === text) throw new Error(`${file}: holds no ${before}`)
  writeFileSync(file, changed, 'latin1')
}

const modelFaults: readonly Fault[] = [
  {
    name: 'a model folder that is not there, one letter off',
    spoil: () => {},
    set: folder => [`model=${join(folder, 'modle')}`],
  },
  { name: 'a model without config.json', spoil: folder => rmSync(model(folder, 'config.json')) },
  {
    name: 'a config.json that is cut',
    spoil: folder => truncateSync(model(folder, 'config.json'), 700),
  },
  { name: 'a model without a tokenizer', spoil: folder => rmSync(model(folder, 'tokenizer.json')) },
  {
    name: 'a tokenizer that is cut',
    spoil: folder => truncateSync(model(folder, 'tokenizer.json'), 5000),
  },
  {
    name: 'a model without preprocessor_config.json',
    spoil: folder => rmSync(model(folder, 'preprocessor_config.json')),
  },
  { name: 'a model without weights', spoil: folder => rmSync(model(folder, 'model.safetensors')) },
  {
    name: 'weights whose download stopped',
    spoil: folder => truncateSync(model(folder, 'model.safetensors'), 2_000_000),
  },
  {
    name: 'weights that are no safetensors file',
    spoil: folder => writeFileSync(model(folder, 'model.safetensors'), Buffer.alloc(4096, 0x80)),
  },
  {
    name: 'a shard that is missing',
    spoil: folder => {
      rmSync(join(folder, 'model'), { recursive: true })
      cpSync(fixture('tiny-bf16'), join(folder, 'model'), { recursive: true })
      rmSync(model(folder, 'model-00002-of-00002.safetensors'))
    },
  },
  {
    name: 'a config.json of a wider model',
    spoil: folder => replace(model(folder, 'config.json'), '"num_queries": 16', '"num_queries": 32'),
  },
  {
    name: 'weights in whole numbers',
    spoil: folder => replace(model(folder, 'model.safetensors'), '"dtype":"F32"', '"dtype":"I32"'),
  },
  {
    name: 'a tensor under another name',
    spoil: folder =>
      replace(
        model(folder, 'model.safetensors'),
        'connector._connector.latents',
        'connector._connector.letents',
      ),
  },
  {
    name: 'a model of another architecture',
    spoil: folder =>
      replace(model(folder, 'config.json'), 'TinyLlavaForConditionalGeneration', 'LlamaForCausalLM'),
  },
  {
    name: 'a model that trains nothing',
    spoil: () => {},
    set: () => ['resources.policy.config.train=[]'],
  },
  {
    name: 'an adapter on layers that there are not',
    spoil: () => {},
    set: () => ['lora=4', 'resources.policy.config.loraTargets=["q_prj"]'],
  },
  {
    name: 'an adapter folder without its config',
    graph: 'graphs/presets/lora.json',
    spoil: folder => mkdirSync(join(folder, 'adapter')),
    set: folder => [`adapter=${join(folder, 'adapter')}`],
  },
  {
    name: 'an adapter that is no plain LoRA',
    graph: 'graphs/presets/lora.json',
    spoil: folder => {
      cpSync(fixture('peft-adapter'), join(folder, 'adapter'), { recursive: true })
      replace(join(folder, 'adapter/adapter_config.json'), /"use_dora": ?false/, '"use_dora": true')
    },
    set: folder => [`adapter=${join(folder, 'adapter')}`],
  },
  {
    name: 'training of blocks of the vision tower that there are not',
    graph: 'graphs/finetune.json',
    spoil: folder => conversations(folder),
    set: () => [
      'resources.model.config.visionTune=partial',
      'resources.model.config.visionTuneFrom=20',
      'steps=1',
    ],
  },
  {
    name: 'a divergence from a reference that there is not',
    spoil: () => {},
    set: () => ['nodes.update.config.beta=0.04', 'steps=6'],
    graph: 'graphs/presets/trl-grpo.json',
  },
  {
    name: 'more memory than the GPU has',
    needsTime: true,
    spoil: () => {},
    flags: ['--memory', '1MB'],
  },
]

/** A conversation about the first clip. */
function conversations(folder: string, text = '{"from": "human", "value": "What?"}'): void {
  const row = `{"video": "clips/red.mp4", "conversations": [${text}]}`
  writeFileSync(join(folder, 'train.jsonl'), `${row}\n`)
}

const question = (clip: string, letter = 'A') =>
  JSON.stringify({ video_filename: `./clips/${clip}`, problem: 'Which?\nA. red\nB. blue', solution: letter })

const rows = (folder: string, lines: readonly string[]) =>
  writeFileSync(join(folder, 'train.jsonl'), `${lines.join('\n')}\n`)

const dataFaults: readonly Fault[] = [
  {
    name: 'data that is not there, one letter off',
    spoil: () => {},
    set: folder => [`data=${join(folder, 'trian.jsonl')}`],
  },
  {
    name: 'a row that is not JSON',
    spoil: folder => rows(folder, [question('red.mp4'), '{"problem": ']),
  },
  {
    name: 'a row without its question',
    spoil: folder => rows(folder, [question('red.mp4'), '{"video_filename": "./clips/red.mp4"}']),
  },
  {
    name: 'data that is not UTF-8',
    spoil: folder => writeFileSync(join(folder, 'train.jsonl'), Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
  },
  { name: 'data without rows', spoil: folder => writeFileSync(join(folder, 'train.jsonl'), '') },
  {
    name: 'a solution that is none of the options',
    spoil: folder => rows(folder, [question('red.mp4'), question('blue.mp4', 'D')]),
    set: () => ['steps=2'],
    isWarning: true,
  },
  {
    name: 'a row without the solution that a reward needs',
    spoil: folder =>
      rows(folder, [question('red.mp4'), question('blue.mp4', '').replace(/,"solution":""/, '')]),
    set: () => ['steps=2'],
  },
  {
    name: 'a clip outside of the folder of the data',
    spoil: folder => rows(folder, [question('../../outside.mp4')]),
  },
  { name: 'fewer rows than updates', needsTime: true, spoil: () => {}, set: () => ['steps=200'] },
  {
    name: 'clips of another folder than root',
    spoil: folder => mkdirSync(join(folder, 'elsewhere')),
    set: folder => [`root=${join(folder, 'elsewhere')}`],
  },
  {
    name: 'a clip that is missing, one letter off',
    spoil: folder => rows(folder, [question('rad.mp4'), question('red.mp4')]),
    set: () => ['steps=2'],
  },
  {
    name: 'a clip that is empty',
    spoil: folder => writeFileSync(join(folder, 'clips/red.mp4'), ''),
  },
  {
    name: 'a clip whose download stopped',
    needsTime: true,
    spoil: folder => truncateSync(join(folder, 'clips/red.mp4'), 900),
  },
  {
    name: 'a clip that is a page of text',
    needsTime: true,
    spoil: folder => writeFileSync(join(folder, 'clips/red.mp4'), '<html>404</html>\n'.repeat(99)),
  },
  {
    name: 'a conversation with a message that says nothing',
    graph: 'graphs/coldstart.json',
    spoil: folder => conversations(folder, '{"from": "human"}'),
  },
  {
    name: 'a clip to ask about that is not there',
    graph: 'graphs/infer.json',
    spoil: () => {},
    set: folder => [`video=${join(folder, 'clips/rde.mp4')}`, 'question=What?'],
  },
  {
    name: 'a benchmark folder that is not there',
    graph: 'graphs/eval/mvbench.json',
    spoil: () => {},
    set: folder => [`data=${join(folder, 'mvbench')}`, `out=${join(folder, 'out')}`],
  },
  {
    name: 'results below a file',
    graph: 'graphs/describe-clips.json',
    spoil: () => {},
    set: folder => [`folder=${join(folder, 'clips')}`, `out=${join(folder, 'train.jsonl/results')}`],
  },
]

export const faults = [...modelFaults, ...dataFaults, ...otherFaults]
