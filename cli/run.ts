import { type Command, Option } from 'commander';
import { deviceOption, type DeviceName, example, positive, precisionOption, seed, temperature, withJson } from './options.js';

export interface RunOptions {
  weights?: string; init?: number; prompt?: string; tokens?: string; maxTokens: number; temperature: number; seed: number;
  context?: number; chunk?: number; device?: DeviceName; precision?: 'f32' | 'bf16'; json?: boolean;
}

export function defineRun(program: Command): void {
  const command = program.command('run')
    .description('continue a prompt, token by token')
    .argument('<spec>', 'a .firn file')
    .addOption(new Option('--weights <dir>', 'folder with the checkpoint (model.safetensors, or shards with their index)').conflicts('init'))
    .addOption(new Option('--init <seed>', 'random weights instead, from this seed').argParser(seed))
    .addOption(new Option('--prompt <text>', 'text to continue, as bytes').conflicts('tokens'))
    .option('--tokens <ids.json>', 'token ids to continue: an array of ids, or an array of such arrays')
    .option('--max-tokens <n>', 'how many tokens to add at most', positive, 64)
    .option('--temperature <t>', '0 takes the likeliest token', temperature, 0)
    .option('--seed <n>', 'of the sampling', seed, 0)
    .option('--context <n>', 'longest sequence in tokens (what prompt and --max-tokens need)', positive)
    .option('--chunk <n>', 'most prompt tokens per run', positive)
    .addOption(deviceOption())
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn run examples/k2-mini.firn --init 1 --prompt "Snow falls, and" --max-tokens 64', 'firn run k2.firn --weights ./Kimi-K2 --tokens prompt.json --temperature 0.6 --seed 7 --device cpu')
    .action(async (spec: string, options: RunOptions) => (await import('./run-model.js')).runModel(spec, options));
}
