import { type Command, Option } from 'commander';
import { collect, deviceOption, type DeviceName, example, limit, positive, precisionOption, seed, share, temperature, withJson } from './options.js';

export interface RunOptions {
  weights?: string; init?: number; prompt?: string[]; tokens?: string; specials: boolean; batch?: boolean;
  maxTokens: number; temperature: number; seed: number; topK: number; topP: number;
  context?: number; chunk?: number; device?: DeviceName; precision?: 'f32' | 'bf16'; json?: boolean;
}

export function defineRun(program: Command): void {
  const command = program.command('run')
    .description('continue a prompt, token by token')
    .argument('<spec>', 'a .firn file')
    .addOption(new Option('--weights <dir>', 'folder with the checkpoint (model.safetensors, or shards with their index), and its tokenizer').conflicts('init'))
    .addOption(new Option('--init <seed>', 'random weights instead, from this seed').argParser(seed))
    .addOption(new Option('--prompt <text>', 'text to continue (may be given several times), with tokenizer.json or tiktoken.model beside the weights, else as bytes').argParser(collect).conflicts('tokens'))
    .option('--tokens <ids.json>', 'token ids to continue: an array of ids, or an array of such arrays')
    .option('--no-specials', 'take text that spells a special token, such as <|im_end|>, as plain text')
    .option('--batch', 'run all prompts together; each line is INDEX, tab, what came');
  for (const option of samplingOptions()) command.addOption(option);
  command
    .option('--context <n>', 'longest sequence in tokens (what prompt and --max-tokens need)', positive)
    .option('--chunk <n>', 'most prompt tokens per run', positive)
    .addOption(deviceOption())
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn run examples/k2-mini.firn --init 1 --prompt "Snow falls, and" --max-tokens 64', 'firn run k2.firn --weights ./Kimi-K2 --tokens prompts.json --batch --temperature 0.6 --top-p 0.95 --seed 7 --device cpu')
    .action(async (spec: string, options: RunOptions) => (await import('./run-model.js')).runModel(spec, options));
}

function samplingOptions(): Option[] {
  return [
    new Option('--max-tokens <n>', 'how many tokens to add at most').argParser(positive).default(64),
    new Option('--temperature <t>', '0 takes the likeliest token').argParser(temperature).default(0),
    new Option('--top-k <k>', 'draw from the k likeliest tokens; 0 from all').argParser(limit).default(0),
    new Option('--top-p <p>', 'of those, draw from the likeliest that together have this share').argParser(share).default(1),
    new Option('--seed <n>', 'of the sampling').argParser(seed).default(0),
  ];
}
